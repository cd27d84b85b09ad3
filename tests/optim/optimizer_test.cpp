// SPDX-License-Identifier: Apache-2.0
#include "src/optim/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "src/optim/adamw.hpp"
#include "src/optim/lamb.hpp"
#include "src/optim/lars.hpp"
#include "src/optim/lion.hpp"
#include "src/optim/rmsprop.hpp"
#include "src/optim/sgd.hpp"
#include "tests/optim/small_store.hpp"

namespace mpdist::optim {
namespace {

std::unique_ptr<Optimizer> make_default(const std::string& name, const OptimizerOptions& common,
                                        ParameterStore& store) {
  return entry_of(name).make(*entry_of(name).options(), common, store);
}

const std::vector<std::string> kAll = {"sgd", "adamw", "rmsprop", "lion", "lars", "lamb"};

/// How the optimizer decays in the tests that need some: lars knows one way.
const char* decay_of(const std::string& name) {
  return name == "lars" ? "coupled" : "decoupled";
}

TEST(Optimizer, TheRegistryKnowsAll) {
  std::vector<std::string> names;
  for (const OptimizerEntry& entry : optimizers()) names.push_back(entry.name);
  EXPECT_EQ(names, kAll);
}

TEST(Optimizer, SegmentsCoverEveryParameterAndOnlyWeightsDecay) {
  SmallStore small(5);
  const auto segments = make_segments(small.store, {.weight_decay = 0.25});
  ASSERT_EQ(segments.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const Parameter& p = *small.store.parameters()[i];
    EXPECT_EQ(segments[i].offset, p.offset);
    EXPECT_EQ(segments[i].elements, 5);
    EXPECT_EQ(segments[i].lr_scale, 1.0F);
    EXPECT_EQ(segments[i].decay, p.role == ParameterRole::weight ? 0.25F : 0.0F) << p.name;
    EXPECT_EQ(segments[i].adapted, p.role == ParameterRole::weight) << p.name;
  }
}

TEST(Optimizer, TheFirstGroupThatMatchesDecides) {
  SmallStore small(1);
  const auto group = [](const char* pattern, double lr_scale, NumberOrWord decay) {
    auto options = std::make_shared<GroupOptions>();
    options->pattern = pattern;
    options->lr_scale = lr_scale;
    options->weight_decay = std::move(decay);
    return TableList::Element{.kind = "", .options = std::move(options)};
  };
  const NumberOrWord usual{.number = 0, .word = "default"};
  OptimizerOptions common{.weight_decay = 0.25};
  common.groups.elements = {group("norm.*", 0.5, {.number = 0.125, .word = ""}), group("*.scale", 9, usual),
                            group("fc.*", 2, usual)};
  for (const kernels::OptimizerSegment& s : make_segments(small.store, common)) {
    if (s.offset == small.store.find("norm.scale")->offset) {
      EXPECT_EQ(s.lr_scale, 0.5F);
      EXPECT_EQ(s.decay, 0.125F);
    } else {
      EXPECT_EQ(s.lr_scale, 2.0F);
      EXPECT_EQ(s.decay, s.offset == small.store.find("fc.weight")->offset ? 0.25F : 0.0F);
    }
  }
}

TEST(Optimizer, NormsAndBiasesDoNotDecay) {
  for (const std::string& name : kAll) {
    for (const char* decay : {"decoupled", "coupled"}) {
      if (name == "lars" && std::string(decay) == "decoupled") continue;
      SmallStore small(3);
      const auto optimizer = make_default(name, {.weight_decay = 0.5, .decay = decay}, small.store);
      optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.1F});
      EXPECT_LT(small.master("fc.weight")[0], 1.0F) << name << " " << decay;
      EXPECT_EQ(small.master("fc.bias")[0], 1.0F) << name << " " << decay;
      EXPECT_EQ(small.master("norm.scale")[0], 1.0F) << name << " " << decay;
    }
  }
}

TEST(Optimizer, DecoupledDecayStaysOutOfMomentum) {
  SmallStore small(1);
  SgdOptions options;
  options.momentum = 0.5;
  const auto optimizer = make_sgd(options, {.weight_decay = 0.5, .decay = "decoupled"}, small.store);
  small.gradient_of<float>("fc.weight")[0] = 1;
  optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.5F});
  EXPECT_FLOAT_EQ(small.master("fc.weight")[0], 1 - 0.5F * (1 + 0.5F * 1));  // 0.25
  const Tensor momentum = optimizer->slots().at(0).values;
  EXPECT_EQ(ParameterStore::slice(momentum, *small.store.find("fc.weight")).span<float>()[0], 1.0F);
  optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.5F});
  EXPECT_FLOAT_EQ(small.master("fc.weight")[0], 0.25F - 0.5F * (1.5F + 0.5F * 0.25F));
}

TEST(Optimizer, BiasCorrectionFollowsTheStepGiven) {
  // From zero moments, update number t moves by lr * (g*(1-b1)/c1) / sqrt(g*g*(1-b2)/c2): exactly lr only for t = 1.
  for (std::int64_t step : {1, 3}) {
    SmallStore small(1);
    const auto optimizer = make_default("adamw", {}, small.store);
    small.gradient_of<float>("fc.weight")[0] = 2;
    optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.5F, .step = step});
    const double c1 = 1 - std::pow(0.9, step), c2 = 1 - std::pow(0.999, step);
    EXPECT_NEAR(small.master("fc.weight")[0], 1 - 0.5 * (0.1 / c1) / std::sqrt(0.001 / c2), 1e-6) << step;
  }
}

TEST(Optimizer, SlotsAreNamedAndZeroAtFirst) {
  SmallStore small(2);
  SgdOptions plain;
  plain.momentum = 0;
  EXPECT_TRUE(make_sgd(plain, {}, small.store)->slots().empty());
  std::vector<std::string> names;
  for (const std::string& name : kAll) {
    const auto optimizer = make_default(name, {}, small.store);
    for (const Slot& slot : optimizer->slots()) {
      names.push_back(slot.name);
      EXPECT_EQ(slot.values.elements(), small.store.elements());
      for (float value : slot.values.span<float>()) EXPECT_EQ(value, 0.0F);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"momentum", "m", "v", "square", "m", "momentum", "m", "v"}));
}

TEST(Optimizer, RmspropHasTheSlotsOfItsVariants) {
  SmallStore small(2);
  RmspropOptions options;
  options.centered = true;
  options.momentum = 0.5;
  std::vector<std::string> names;
  for (const Slot& slot : make_rmsprop(options, {}, small.store)->slots()) names.push_back(slot.name);
  EXPECT_EQ(names, (std::vector<std::string>{"square", "mean", "momentum"}));
}

TEST(Optimizer, FrozenParametersHaveNoSlotsAndStayAsTheyAre) {
  for (const std::string& name : kAll) {
    ParameterStore store;
    store.add("frozen", "weight", {40}, ParameterRole::weight, Initializer::ones);
    store.add("fc", "weight", {40}, ParameterRole::weight, Initializer::ones);
    store.freeze("frozen.*");
    store.finalize(DType::fp16, 1);
    const auto optimizer = make_default(name, {.weight_decay = 0.5, .decay = decay_of(name)}, store);
    for (const Slot& slot : optimizer->slots()) EXPECT_EQ(slot.values.elements(), 64) << name;
    Tensor gradient({store.trainable_elements()}, DType::fp16, MemoryKind::gradients);
    for (std::int64_t i = 0; i < gradient.elements(); ++i) gradient.data<half>()[i] = to_half(1);
    Stream stream;
    optimizer->update(stream, {.gradient = gradient, .lr = 0.1F});
    EXPECT_NE(store.master(*store.find("fc.weight")).data<float>()[39], 1.0F) << name;
    for (float value : store.master(*store.find("frozen.weight")).span<float>()) EXPECT_EQ(value, 1.0F) << name;
    for (half value : store.working(*store.find("frozen.weight")).span<half>()) EXPECT_EQ(value.bits, 0) << name;
  }
}

TEST(Optimizer, RestoredSlotsContinueTheSameRun) {
  for (const std::string& name : kAll) {
    SmallStore one(4), two(4);
    const auto first = make_default(name, {.weight_decay = 0.01, .decay = decay_of(name)}, one.store);
    const auto run = [](Optimizer& optimizer, SmallStore& small, std::int64_t step) {
      const auto gradient = small.gradient_of<float>("fc.weight");
      for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = static_cast<float>(step) - static_cast<float>(i);
      optimizer.update(small.stream, {.gradient = small.gradient, .lr = 0.1F, .step = step});
    };
    for (std::int64_t step = 1; step <= 3; ++step) run(*first, one, step);
    const auto second = make_default(name, {.weight_decay = 0.01, .decay = decay_of(name)}, two.store);
    std::memcpy(two.store.master().raw(), one.store.master().raw(), one.store.master().bytes());
    for (std::size_t i = 0; i < first->slots().size(); ++i) {
      const Tensor from = first->slots()[i].values, to = second->slots()[i].values;
      std::memcpy(to.raw(), from.raw(), from.bytes());
    }
    run(*first, one, 4);
    run(*second, two, 4);
    EXPECT_EQ(std::memcmp(one.store.master().raw(), two.store.master().raw(), one.store.master().bytes()), 0) << name;
  }
}

TEST(Optimizer, TheWorkingCopyIsTheRoundedMasterAndSaturates) {
  for (const std::string& name : kAll) {
    SmallStore small(2, DType::fp16, DType::fp16);
    small.master("fc.weight")[0] = 0.1F;
    small.master("fc.weight")[1] = 70000;
    const auto optimizer = make_default(name, {}, small.store);
    optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.1F});
    const auto working = small.store.working(*small.store.find("fc.weight")).span<half>();
    EXPECT_EQ(working[0].bits, to_half(0.1F).bits) << name;
    EXPECT_EQ(to_float(working[1]), 65504.0F) << name;
    EXPECT_EQ(small.master("fc.weight")[1], 70000.0F) << name;
    EXPECT_EQ(optimizer->saturated(), 1) << name;
    small.master("fc.weight")[1] = 1;
    optimizer->update(small.stream, {.gradient = small.gradient, .lr = 0.1F, .step = 2});
    EXPECT_EQ(optimizer->saturated(), 0) << name;
  }
}

TEST(Optimizer, ContradictoryKeysAreRefused) {
  SmallStore small(1);
  SgdOptions nesterov;
  nesterov.momentum = 0;
  nesterov.nesterov = true;
  EXPECT_THROW(make_sgd(nesterov, {}, small.store), UsageError);
  for (const std::vector<double>& betas :
       {std::vector<double>{0.9}, {0.9, 0.99, 0.999}, {1.0, 0.9}, {0.9, 1.0}, {-0.1, 0.9}}) {
    AdamwOptions options;
    options.betas = betas;
    EXPECT_THROW(make_adamw(options, {}, small.store), UsageError);
  }
  EXPECT_THROW(make_lars({}, {.weight_decay = 0.1, .decay = "decoupled"}, small.store), UsageError);
  EXPECT_NO_THROW(make_lars({}, {.weight_decay = 0, .decay = "decoupled"}, small.store));
}

TEST(Optimizer, RangesHoldAfterRoundingToFp32) {
  SmallStore small(1);
  AdamwOptions adamw;
  LambOptions lamb;
  LionOptions lion;
  adamw.betas = lamb.betas = lion.betas = {0.9, 0.99999999};
  EXPECT_THROW(make_adamw(adamw, {}, small.store), UsageError);
  EXPECT_THROW(make_lamb(lamb, {}, small.store), UsageError);
  EXPECT_THROW(make_lion(lion, {}, small.store), UsageError);
  adamw.betas = lamb.betas = lion.betas = {0.9, 0.9999999};
  EXPECT_NO_THROW(make_lion(lion, {}, small.store));
  for (double eps : {1e-46, 1e39}) {
    RmspropOptions rmsprop;
    adamw.eps = lamb.eps = rmsprop.eps = eps;
    EXPECT_THROW(make_adamw(adamw, {}, small.store), UsageError) << eps;
    EXPECT_THROW(make_lamb(lamb, {}, small.store), UsageError) << eps;
    EXPECT_THROW(make_rmsprop(rmsprop, {}, small.store), UsageError) << eps;
  }
  RmspropOptions rmsprop;
  rmsprop.alpha = 0.99999999;
  EXPECT_THROW(make_rmsprop(rmsprop, {}, small.store), UsageError);
}

TEST(Optimizer, AnUnfinishedStoreIsRefused) {
  ParameterStore store;
  EXPECT_THROW(make_default("sgd", {}, store), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::optim
