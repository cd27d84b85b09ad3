// SPDX-License-Identifier: Apache-2.0
// The rules of DESIGN 4, one step at a time, on one rank.
#include "src/train/step.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "src/train/shard_pass.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist {
namespace {

using precision::StepEvent;
using test::StepHarness;

std::string toml(const std::string& extra = "", const std::string& optimizer = "lr = 0.125\nmomentum = 0.9",
                 const std::string& precision = "compute = \"fp16\"\nscale_initial = 1024", int global = 32,
                 int shards = 4) {
  return fmt::format(
      "[run]\nsteps = 100\n[batch]\nglobal = {}\nshards = {}\n[precision]\n{}\n[model]\nname = \"mlp\"\n"
      "hidden = [16]\n[data]\nformat = \"synthetic\"\n[optimizer]\n{}\n{}",
      global, shards, precision, optimizer, extra);
}

StepHarness make(const std::string& text, const std::string& faults = "") {
  return StepHarness(text, {4, 4, 1}, 5, faults);
}

void fill(const Tensor& tensor, float value) {
  test::overwrite(tensor, [value](const Tensor& host) {
    for (std::int64_t i = 0; i < host.elements(); ++i) test::set_value(host, i, value);
  });
}

double distance(const StepHarness& h, const std::vector<double>& before) {
  double sum = 0;
  const std::vector<double> now = test::values_of(h.state->store.master());
  for (std::size_t i = 0; i < now.size(); ++i) sum += (now[i] - before[i]) * (now[i] - before[i]);
  return std::sqrt(sum);
}

TEST(Step, SkippedStepChangesNothingButCursorAndScale) {
  StepHarness h = make(toml("[schedule]\nname = \"cosine\"\nwarmup_steps = 10\n",
                            "lr = 0.125\nmomentum = 0.9\nema_decay = 0.9\nweight_decay = 0.01"),
                       "overflow:step=2:rank=0:tensor=fc1.weight");
  h.step();
  const double lr = h.step().lr;
  const auto before = h.everything();
  const train::StepReport skipped = h.step();
  EXPECT_EQ(skipped.event, StepEvent::gradient_overflow);
  EXPECT_EQ(h.everything(), before);
  EXPECT_EQ(h.state->step, 2);
  EXPECT_EQ(h.state->attempted, 3);
  EXPECT_EQ(h.state->skipped, 1);
  EXPECT_EQ(skipped.new_loss_scale, 512);
  const double next = h.step().lr;
  EXPECT_DOUBLE_EQ(next, lr * 1.5);  // warm-up: third applied update after the second
}

TEST(Step, UpdateBeforeTheSkippedOneEqualsARunWithoutIt) {
  StepHarness faulty = make(toml(), "overflow:step=1:rank=0:tensor=fc2.bias"), clean = make(toml());
  faulty.step();
  faulty.step();
  clean.step();
  EXPECT_EQ(faulty.everything(), clean.everything());
}

struct Skip {
  const char *optimizer, *fault;
};
class ASkip : public ::testing::TestWithParam<Skip> {};

/// Batches are numbered by hand and nothing is random, so that a skip is the only difference: masters, slots, average,
/// schedule position and bias-correction count are those of the run that never saw that batch.
TEST_P(ASkip, IsAsIfItHadNeverBeen) {
  const std::string optimizer = fmt::format("{}ema_decay = 0.9\nweight_decay = 0.01", GetParam().optimizer);
  const std::string text =
      toml("[schedule]\nname = \"cosine\"\nwarmup_steps = 2\n", optimizer, "compute = \"fp16\"\nloss_scale = 1024.0");
  StepHarness skipping = make(text, GetParam().fault), clean = make(text);
  for (std::int64_t k : {0, 1, 9, 2, 3}) {
    data::Batch batch = skipping.batch(k == 9 ? 4 : k);
    batch.attempted = skipping.state->attempted;
    EXPECT_EQ(skipping.step(batch).event == StepEvent::clean, k != 9);
  }
  for (std::int64_t k : {0, 1, 2, 3}) clean.step(clean.batch(k));
  EXPECT_EQ(skipping.everything(), clean.everything());
  EXPECT_EQ(skipping.state->step, 4);
  EXPECT_EQ(skipping.state->attempted, 5);
  EXPECT_EQ(skipping.state->skipped, 1);
}

/// "adamwForward"
std::string name_of_skip(const ::testing::TestParamInfo<Skip>& c) {
  const std::string optimizer = c.param.optimizer;
  const std::size_t begin = optimizer.find('"') + 1;
  return optimizer.substr(begin, optimizer.find('"', begin) - begin) +
         (c.param.fault[0] == 'n' ? "Forward" : "Backward");
}

INSTANTIATE_TEST_SUITE_P(
    Step, ASkip,
    ::testing::Values(Skip{"name = \"sgd\"\nmomentum = 0.9\n", "overflow:step=2:rank=0:shard=1:tensor=fc1.weight"},
                      Skip{"name = \"sgd\"\nmomentum = 0.9\n", "nan-activation:step=2:rank=0:shard=1:layer=fc1"},
                      Skip{"name = \"adamw\"\nlr = 0.01\n", "overflow:step=2:rank=0:shard=3:tensor=fc2.bias"},
                      Skip{"name = \"adamw\"\nlr = 0.01\n", "nan-activation:step=2:rank=0:shard=0:layer=fc2"},
                      Skip{"name = \"rmsprop\"\nmomentum = 0.5\ncentered = true\nlr = 0.01\n",
                           "overflow:step=2:rank=0:shard=2:tensor=fc1.bias"},
                      Skip{"name = \"lion\"\nlr = 0.01\n", "overflow:step=2:rank=0:shard=1:tensor=fc1.weight"},
                      Skip{"name = \"lars\"\ndecay = \"coupled\"\n",
                           "overflow:step=2:rank=0:shard=1:tensor=fc2.weight"},
                      Skip{"name = \"lamb\"\nlr = 0.01\n", "overflow:step=2:rank=0:shard=1:tensor=fc1.weight"}),
    name_of_skip);

TEST(Step, NonFiniteForwardLeavesScaleAndTrackerAlone) {
  StepHarness h = make(toml(), "nan-activation:step=1:rank=0:layer=fc1");
  h.step();
  const auto scaler = h.state->scaler.state();
  const auto before = h.everything();
  const train::StepReport report = h.step();
  EXPECT_EQ(report.event, StepEvent::forward_nonfinite);
  EXPECT_EQ(h.state->scaler.state().scale, scaler.scale);
  EXPECT_EQ(h.state->scaler.state().tracker, scaler.tracker);
  EXPECT_EQ(h.everything(), before);
  EXPECT_EQ(report.diagnosis.where, "forward");
  EXPECT_EQ(report.diagnosis.layer, "fc1");
  EXPECT_EQ(report.diagnosis.shard, 0);
}

/// 16384 * 4 overflows FP16 though every leaf is finite: planted through the sum of shards.
TEST(Step, OverflowInTheSumIsSaidToBeInTheSum) {
  StepHarness h = make(toml("", "lr = 0.125", "compute = \"fp16\"\nloss_scale = 65536.0"));
  data::Batch batch = h.batch(0);
  fill(batch.images, 1.0F);
  test::overwrite(batch.labels, [](const Tensor& labels) { std::ranges::fill(labels.span<std::int32_t>(), 0); });
  bool seen = false;
  for (float size :
       {1.0F, 1.5F, 2.0F, 2.5F, 3.0F, 4.0F, 5.0F, 6.0F}) {  // some size leaves the leaves finite and the sum not
    fill(batch.images, size);
    batch.attempted = h.state->attempted;
    const train::StepReport report = h.step(batch);
    if (report.event != StepEvent::gradient_overflow || report.diagnosis.where != "sum") continue;
    seen = true;
    EXPECT_FALSE(report.diagnosis.tensor.empty());
    EXPECT_NE(report.diagnosis.text.find("every leaf was finite"), std::string::npos);
  }
  EXPECT_TRUE(seen);
}

/// The step size is lr * clip_norm whatever the loss scale: clipping sees the unscaled gradient.
TEST(Step, ClippingActsOnTheUnscaledGradient) {
  for (const char* scale : {"256.0", "2048.0"}) {
    StepHarness h = make(toml("", "lr = 0.5\nmomentum = 0.0\nclip_norm = 0.01",
                              fmt::format("compute = \"fp16\"\nloss_scale = {}", scale)));
    const std::vector<double> before = test::values_of(h.state->store.master());
    const train::StepReport report = h.step();
    ASSERT_GT(report.grad_norm, 0.02);
    EXPECT_NEAR(distance(h, before), 0.5 * 0.01, 1e-5);
  }
}

TEST(Step, TheAverageFollowsTheMastersAfterTheUpdate) {
  StepHarness h = make(toml("", "lr = 0.125\nema_decay = 0.75"));
  const std::vector<double> before = test::values_of(h.state->store.master());
  h.step();
  const std::vector<double> after = test::values_of(h.state->store.master());
  ASSERT_NE(after, before);
  const std::vector<double> average = test::values_of(h.state->ema->average());
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_FLOAT_EQ(average[i], 0.75 * before[i] + 0.25 * after[i]);
}

TEST(Step, SaturatedWorkingElementsAreCounted) {
  StepHarness h = make(toml());
  EXPECT_EQ(h.step().saturated, 0);
  test::set_value(h.state->store.master(), 0, 1e6F);
  if (h.stream.device() == Device::cuda) h.step();  // there it is the count of the update before
  EXPECT_EQ(h.step().saturated, 1);
  EXPECT_EQ(test::value_at(h.state->store.working(), 0), 65504);
}

TEST(Step, NormBelowTheLimitIsNotClipped) {
  StepHarness clipped = make(toml("", "lr = 0.5\nclip_norm = 1000.0")), free = make(toml("", "lr = 0.5"));
  clipped.step();
  free.step();
  EXPECT_EQ(clipped.everything(), free.everything());
}

/// Without clipping the step is lr * norm, so the norm that is reported is that of the mean gradient.
TEST(Step, ReportedNormIsOfTheMeanGradient) {
  StepHarness h = make(toml("", "lr = 0.5\nmomentum = 0.0"));
  const std::vector<double> before = test::values_of(h.state->store.master());
  const train::StepReport report = h.step();
  EXPECT_NEAR(distance(h, before), 0.5 * report.grad_norm, 1e-4 * report.grad_norm);
}

/// The scale that unscales a step is the one that seeded it, though the scaler grows after every step.
TEST(Step, ScaleChangesAfterTheUpdate) {
  StepHarness growing = make(toml("", "lr = 0.125", "compute = \"fp16\"\nscale_initial = 1024\nscale_interval = 1"));
  StepHarness fixed = make(toml("", "lr = 0.125", "compute = \"fp16\"\nloss_scale = 1024.0"));
  const train::StepReport first = growing.step();
  fixed.step();
  EXPECT_EQ(first.loss_scale, 1024);
  EXPECT_EQ(first.new_loss_scale, 2048);
  EXPECT_EQ(growing.everything(), fixed.everything());
  EXPECT_EQ(growing.step().loss_scale, 2048);
}

/// The mean is over C exactly: masked rows, and a batch that is no power of two beside one that is.
TEST(Step, MeanIsOverTheUnmaskedRows) {
  StepHarness h = make(toml("", "lr = 0.5", "compute = \"fp32\"", 32, 4)),
              rest = make(toml("", "lr = 0.5", "compute = \"fp32\"", 24, 4));
  data::Batch batch = h.batch(0), small = rest.batch(0);
  // Every fourth row masked; `small` has the same unmasked rows alone.
  for (std::int64_t i = 0, next = 0; i < 32; ++i) {
    if (i % 4 != 0) {
      test::assign(small.images.rows(next, next + 1), test::host_copy(batch.images.rows(i, i + 1)));
      test::assign(small.labels.rows(next, next + 1), test::host_copy(batch.labels.rows(i, i + 1)));
      ++next;
    } else {
      test::overwrite(batch.labels.rows(i, i + 1), [](const Tensor& label) { *label.data<std::int32_t>() = -1; });
    }
  }
  const train::StepReport masked = h.step(batch), alone = rest.step(small);
  EXPECT_NEAR(masked.loss, alone.loss, 1e-6);
  EXPECT_EQ(masked.accuracy, alone.accuracy);
  EXPECT_GT(alone.accuracy, 0);
  const auto a = h.everything(), b = rest.everything();
  for (std::size_t t = 0; t < a.size(); ++t) {
    for (std::size_t i = 0; i < a[t].size(); ++i) EXPECT_NEAR(a[t][i], b[t][i], 1e-6);
  }
}

/// Shards cut the same batch: the loss is the same mean, gradients the same up to rounding.
TEST(Step, NumberOfShardsDoesNotChangeTheMean) {
  for (int shards : {1, 2, 4, 8, 16}) {
    StepHarness one = make(toml("", "lr = 0.5", "compute = \"fp32\"", 48, 1));
    StepHarness many = make(toml("", "lr = 0.5", "compute = \"fp32\"", 48, shards));
    EXPECT_NEAR(one.step().loss, many.step().loss, 1e-6);
    const auto a = one.everything(), b = many.everything();
    for (std::size_t t = 0; t < a.size(); ++t) {
      for (std::size_t i = 0; i < a[t].size(); ++i) EXPECT_NEAR(a[t][i], b[t][i], 2e-6) << shards;
    }
  }
}

/// A mask belongs to the seed, the attempted batch and the position in it: not to applied steps, not to shards.
TEST(Step, DropoutIsKeyedBySeedAttemptedBatchAndPosition) {
  const auto loss = [](std::int64_t attempted, std::int64_t step, std::int64_t seed, int shards) {
    std::string text = toml("", "lr = 0.5", "compute = \"fp32\"", 32, shards);
    text.replace(text.find("hidden"), 0, "dropout = 0.5\n");
    StepHarness h = make(text);
    h.config.run.seed = seed;  // after the initial weights were drawn
    h.state->step = step;
    data::Batch batch = h.batch(0);
    batch.attempted = attempted;
    return h.step(batch).loss;
  };
  EXPECT_EQ(loss(5, 2, 1, 4), loss(5, 5, 1, 4));
  EXPECT_NE(loss(5, 5, 1, 4), loss(6, 5, 1, 4));
  EXPECT_NE(loss(5, 5, 1, 4), loss(5, 5, 2, 4));
  EXPECT_NEAR(loss(5, 5, 1, 4), loss(5, 5, 1, 1), 1e-6);
}

/// running = 0.9*running + 0.1*(mean over the shards of their statistics), on applied steps only.
TEST(Step, RunningStatisticsAdvanceWithTheUpdateAndNotOnASkip) {
  const std::string text = fmt::format(
      "[run]\nsteps = 100\n[batch]\nglobal = 16\nshards = 2\n[precision]\ncompute = \"fp32\"\n[model]\nname = "
      "\"resnet\"\n"
      "depth = 20\nwidth = 4\n[data]\nformat = \"synthetic\"\n[optimizer]\nname = \"sgd\"\nlr = 0.1\n");
  StepHarness h(text, {8, 8, 1}, 5, "overflow:step=1:rank=0:tensor=fc.weight");
  const data::Batch batch = h.batch(0);
  const train::ShardPass pass{h.config, h.plan, *h.state, h.stream};
  std::vector<double> expected = test::values_of(h.state->store.statistics());
  std::vector<double> sums(expected.size(), 0.0);
  for (std::int64_t shard = 0; shard < 2; ++shard) {
    const HostValue<nn::LossSums> loss(h.stream);
    const Tensor statistics = pass.run(
        batch, shard, 1, nullptr, [](const Parameter&, const Tensor&) {}, *loss);
    const std::vector<double> values = test::values_of(statistics);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
  }
  h.step(batch);
  const std::vector<double> after = test::values_of(h.state->store.statistics());
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(after[i], 0.9 * expected[i] + 0.1 * sums[i] / 2, 1e-5);
  EXPECT_EQ(h.step().event, StepEvent::gradient_overflow);
  EXPECT_EQ(test::values_of(h.state->store.statistics()), after);
}

/// The smoothed loss of one batch: (1-e) times the plain one plus e times the mean over the classes.
TEST(Step, LabelSmoothingReachesTheLoss) {
  const auto loss = [](double smoothing, int shift) {
    std::string text = toml("", "lr = 0.5", "compute = \"fp32\"");
    text.replace(text.find("hidden"), 0, fmt::format("label_smoothing = {}\n", smoothing));
    StepHarness h = make(text);
    data::Batch batch = h.batch(0);
    test::edit(batch.labels, [shift](const Tensor& labels) {
      for (std::int32_t& label : labels.span<std::int32_t>()) label = (label + shift) % 5;
    });
    return h.step(batch).loss;
  };
  double mean = 0;
  for (int shift = 0; shift < 5; ++shift) mean += loss(0.0, shift) / 5;
  EXPECT_NEAR(loss(0.25, 0), 0.75 * loss(0.0, 0) + 0.25 * mean, 1e-5);
}

TEST(Step, ActivationMemoryOfFp16IsHalfOfFp32) {
  const auto peak = [](const char* precision) {
    StepHarness h = make(toml("", "lr = 0.1", precision, 2048, 2));
    h.stream.pool().reset_peaks();
    h.step();
    return static_cast<double>(h.stream.pool().use().peak[static_cast<std::size_t>(MemoryKind::activations)]);
  };
  EXPECT_LE(peak("compute = \"fp16\""), 0.55 * peak("compute = \"fp32\""));
}

TEST(Step, NothingIsAllocatedAfterTheFirstSteps) {
  StepHarness h = make(toml());
  const data::Batch batch = h.batch(0);
  for (int i = 0; i < 3; ++i) h.step(batch);
  const auto allocations = [&] {
    return Pool::host().use().system_allocations + h.stream.pool().use().system_allocations +
           h.stream.host_pool().use().system_allocations;
  };
  const std::int64_t before = allocations();
  for (int i = 0; i < 5; ++i) h.step(batch);
  EXPECT_EQ(allocations(), before);
}

TEST(Faults, MisspeltOnesAreRefused) {
  for (const char* text :
       {"overflo:step=1:rank=0:tensor=x", "overflow:step=1:rank=0", "overflow:step=x:rank=0:tensor=y",
        "overflow:stp=1:rank=0:tensor=y", "nan-activation:step=1:rank=0:tensor=y", "overflow:step=1:rank",
        "drop-gradient:step=1:rank=0:tensor=y", "overflow:step=-1:rank=0:tensor=y"}) {
    EXPECT_THROW(train::parse_faults(text), UsageError) << text;
  }
}

}  // namespace
}  // namespace mpdist
