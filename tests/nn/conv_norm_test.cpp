// SPDX-License-Identifier: Apache-2.0
// ConvNorm against Conv2d and BatchNorm, which are tested on their own, in every order in which results are read.
#include "src/nn/conv_norm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <optional>
#include <string>
#include <vector>

#include "kernels/threads.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/batch_norm.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"
#include "tests/support/network.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist {
namespace {

using test::Network;
using Values = std::vector<double>;

/// The layer under test, or its two parts under the same names.
class Layer {
 public:
  Layer(Network& n, bool fused, const std::string& name, nn::Conv2dOptions options) {
    options.bias = false;
    if (fused) {
      whole_.emplace(n.store, name, options);
      return;
    }
    nn::Conv2dOptions plain = options;
    plain.relu = false;
    convolution_.emplace(n.store, name, plain);
    norm_.emplace(n.store, name + ".norm", options.out, options.relu);
  }
  nn::Deferred operator()(const nn::Pass& p, const nn::Deferred& x, const nn::Deferred& residual = {}) const {
    return whole_ ? (*whole_)(p, x, residual) : nn::Deferred((*norm_)(p, (*convolution_)(p, x), residual));
  }

 private:
  std::optional<nn::ConvNorm> whole_;
  std::optional<nn::Conv2d> convolution_;
  std::optional<nn::BatchNorm> norm_;
};

/// A small residual network; `order` says who reads the stem's result first and what else reads it.
struct Residual {
  enum class Order : int { path_first, shortcut_first, pooled_first, residual_of_itself, shortcut_read_twice, kOrders };

  Residual(bool fused, Order chosen, DType type = DType::fp32, std::int64_t extent = 6)
      : order(chosen),
        stem(network, fused, "stem", {.in = 2, .out = 4, .geometry = {.padding = 1}, .relu = true}),
        first(network, fused, "first", {.in = 4, .out = 6, .geometry = {.stride = 2, .padding = 1}, .relu = true}),
        second(network, fused, "second", {.in = 6, .out = 6, .geometry = {.padding = 1}, .relu = true}),
        shortcut(network, fused, "shortcut", {.in = 4, .out = 6, .kernel = 1, .geometry = {.stride = 2}}),
        third(network, fused, "third", {.in = 6, .out = 6, .geometry = {.padding = 1}, .relu = true}),
        fourth(network, fused, "fourth", {.in = 6, .out = 6, .geometry = {.padding = 1}}),
        head(network.store, "head", 6, 3, false) {
    network.forward = [this](const nn::Pass& p, const Tensor& x) { return forward(p, nn::Variable{x}); };
    network.finish({extent, extent, 2}, type);
    kernels::cpu::set_threads(1);
  }

  nn::Variable forward(const nn::Pass& p, const nn::Deferred& images) const {
    const nn::Deferred x = stem(p, images);
    nn::Deferred way;
    if (order == Order::shortcut_first) way = shortcut(p, x);
    if (order == Order::pooled_first) way = shortcut(p, nn::gelu(p, kGelu, x));
    nn::Deferred y = first(p, x);
    if (order != Order::shortcut_first && order != Order::pooled_first) way = shortcut(p, x);
    y = order == Order::residual_of_itself ? second(p, second(p, y, y), way) : second(p, y, way);
    nn::Deferred z = fourth(p, third(p, y), y);  // y: a plain residual that third reads first
    if (order == Order::shortcut_read_twice) z = third(p, z, way);
    return head(p, nn::global_average_pool(p, kMean, z));
  }

  inline static const std::string kMean = "mean", kGelu = "gelu";
  Network network;
  Order order;
  Layer stem, first, second, shortcut, third, fourth;
  nn::Linear head;
};

template <class Body>
void for_orders(Body body) {
  for (int i = 0; i < static_cast<int>(Residual::Order::kOrders); ++i) {
    SCOPED_TRACE(i);
    body(static_cast<Residual::Order>(i));
  }
}

double distance(const Values& a, const Values& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

TEST(ConvNorm, EqualsItsPartsInEveryOrderOfReading) {
  for_orders([](Residual::Order order) {
    for (DType type : test::kComputeTypes) {
      Residual whole(true, order, type), parts(false, order, type);
      const double roundoff = type == DType::fp32 ? 2e-5 : 40 * test::unit_roundoff(type);
      EXPECT_NEAR(whole.network.training_loss(), parts.network.training_loss(), 6 * roundoff);
      EXPECT_LE(distance(test::values_of(whole.network.statistics), test::values_of(parts.network.statistics)),
                roundoff);
      const auto expected = parts.network.gradients();
      const auto gradients = whole.network.gradients();
      ASSERT_EQ(gradients.size(), expected.size());
      for (const auto& [name, values] : expected) {
        EXPECT_LE(distance(gradients.at(name), values), roundoff) << name << " " << name_of(type);
      }
      EXPECT_NEAR(whole.network.loss(), parts.network.loss(), 6 * roundoff) << "evaluation";
    }
  });
}

TEST(ConvNorm, MatchesFiniteDifferences) {
  for_orders([](Residual::Order order) { Residual(true, order).network.check_directional_derivatives(2e-3, 0.02); });
}

/// Notes names, and changes nothing or one value.
class Recorder : public nn::Observer {
 public:
  explicit Recorder(std::string poisoned = "") : poisoned_(std::move(poisoned)) {}
  void activation(const std::string& layer, const char* operation, const Tensor& value) override {
    seen.push_back(layer + " " + operation);
    finite = finite && !std::isnan(test::value_at(value, 0));
    if (layer == poisoned_) test::set_value(value, 0, std::numeric_limits<float>::quiet_NaN());
  }
  void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) override {
    seen.push_back(layer + " " + operation + " gradient");
    EXPECT_EQ(test::values_of(gradient).size(), static_cast<std::size_t>(gradient.elements()));
  }
  std::vector<std::string> seen;
  bool finite = true;

 private:
  std::string poisoned_;
};

/// An observer sees every layer's two values and their gradients, and the bits are those of a pass without it.
TEST(ConvNorm, ObserverSeesEverythingAndChangesNoBit) {
  for_orders([](Residual::Order order) {
    for (DType type : test::kComputeTypes) {
      Residual r(true, order, type);
      const auto without = r.network.gradients();
      const Values statistics = test::values_of(r.network.statistics);
      Recorder recorder;
      EXPECT_EQ(r.network.gradients(&recorder), without);
      EXPECT_EQ(test::values_of(r.network.statistics), statistics);
      EXPECT_EQ(r.network.loss(nullptr, &recorder), r.network.loss());
      for (const char* layer : {"stem", "first", "second", "shortcut", "third", "fourth"}) {
        for (const char* what : {" conv2d", ".norm batch_norm", " conv2d gradient", ".norm batch_norm gradient"}) {
          const auto& seen = recorder.seen;
          EXPECT_NE(std::find(seen.begin(), seen.end(), layer + std::string(what)), seen.end()) << layer << what;
        }
      }
    }
  });
}

TEST(ConvNorm, WhatAnObserverPlantsReachesTheLoss) {
  for (const char* layer : {"stem", "first.norm", "shortcut", "shortcut.norm", "fourth.norm"}) {
    Residual r(true, Residual::Order::path_first, DType::fp16);
    Recorder recorder(layer);
    nn::Tape tape(r.network.stream, r.network.store, [](const Parameter&, const Tensor&) {});
    EXPECT_TRUE(std::isnan(r.network.loss(&tape, &recorder))) << layer;
    EXPECT_FALSE(recorder.finite) << layer;
  }
}

/// The shortcut's norm is applied where it is added: its result takes no memory.
TEST(ConvNorm, AResidualThatOnlyANormReadsIsNeverWritten) {
  const auto kept = [](bool fused) {
    Residual r(fused, Residual::Order::path_first, DType::fp32, 16);
    nn::Tape tape(r.network.stream, r.network.store, [](const Parameter&, const Tensor&) {});
    r.network.loss(&tape);
    return Pool::host().use().now[static_cast<std::size_t>(MemoryKind::activations)];
  };
  constexpr std::int64_t kResult = 6 * 8 * 8 * 6 * sizeof(float), kChannelArrays = 6 * 4 * 6 * sizeof(float);
  EXPECT_LE(kept(true), kept(false) - kResult + kChannelArrays);
}

TEST(ConvNorm, RefusesABiasAndOneValuePerChannel) {
  Network n;
  EXPECT_THROW(nn::ConvNorm(n.store, "biased", {.in = 1, .out = 2}), InvalidArgument);
  const nn::ConvNorm layer(n.store, "layer", {.in = 2, .out = 4, .bias = false});
  n.store.finalize(DType::fp32, 1);
  nn::Tape tape(n.stream, n.store, [](const Parameter&, const Tensor&) {});
  const Tensor statistics(n.store.statistics().shape(), DType::fp32, MemoryKind::data);
  const nn::Pass pass{.stream = n.stream, .parameters = n.store, .tape = &tape, .shard_statistics = statistics};
  const Tensor image({1, 3, 3, 2}, DType::fp32, MemoryKind::data);
  EXPECT_THROW(layer(pass, nn::Variable{image}), UsageError);
}

}  // namespace
}  // namespace mpdist
