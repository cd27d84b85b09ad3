// SPDX-License-Identifier: Apache-2.0
#include "src/nn/tape.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/nn/activation.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/loss.hpp"
#include "tests/support/fill.hpp"

namespace mpdist {
namespace {

using test::fill_uniform;

std::int64_t activations_now() {
  return Pool::host().use().now[static_cast<std::size_t>(MemoryKind::activations)];
}

struct TapeTest : ::testing::Test {
  Stream stream;
  ParameterStore store;
  std::vector<std::string> ready;
  std::vector<std::vector<double>> gradients;

  nn::Tape tape(nn::Observer* observer = nullptr) {
    return nn::Tape(
        stream, store,
        [this](const Parameter& p, const Tensor& gradient) {
          ready.push_back(p.name);
          gradients.push_back(test::values_of(gradient));
        },
        observer);
  }
  Tensor images(std::int64_t rows, std::int64_t width) {
    Tensor x({rows, width}, store.compute_type(), MemoryKind::data);
    fill_uniform(x, 5);
    return x;
  }
  /// The sum of the rows; seeds the tape.
  float loss_of(const nn::Pass& pass, const nn::Variable& logits, const Tensor& classes) {
    nn::LossSums sums;
    nn::softmax_cross_entropy(pass, "loss", logits, classes, 0, 1, sums);
    return sums.loss;
  }
  Tensor labels(std::vector<std::int32_t> values) {
    Tensor t({static_cast<std::int64_t>(values.size())}, DType::int32, MemoryKind::data);
    std::copy(values.begin(), values.end(), t.data<std::int32_t>());
    return t;
  }
};

TEST_F(TapeTest, GradientsAreReadyOnceInReverseForwardOrder) {
  const nn::Linear first(store, "first", 6, 5, true), second(store, "second", 5, 3, false);
  store.finalize(DType::fp32, 1);
  nn::Tape t = tape();
  const nn::Pass pass{.stream = stream, .parameters = store, .tape = &t};
  loss_of(pass, second(pass, first(pass, {images(2, 6)})), labels({0, 2}));
  EXPECT_TRUE(ready.empty());
  t.backward();
  const std::vector<std::string> expected = {"second.bias", "second.weight", "first.bias", "first.weight"};
  EXPECT_EQ(ready, expected);
  for (std::size_t i = 0; i < ready.size(); ++i) EXPECT_EQ(store.find(ready[i])->index, static_cast<int>(i));
}

TEST_F(TapeTest, ParameterUsedTwiceIsReadyAfterItsLastUseWithTheSum) {
  const nn::Linear shared(store, "shared", 4, 4, false), head(store, "head", 4, 3, false);
  store.finalize(DType::fp32, 1);
  const Tensor x = images(3, 4), y = labels({0, 1, 2});
  const auto loss = [&](nn::Tape* t) {
    const nn::Pass pass{.stream = stream, .parameters = store, .tape = t};
    return loss_of(pass, head(pass, shared(pass, shared(pass, {x}))), y);
  };
  nn::Tape t = tape();
  loss(&t);
  t.backward();
  const std::vector<std::string> expected = {"head.bias", "head.weight", "shared.bias", "shared.weight"};
  ASSERT_EQ(ready, expected);
  const Tensor weight = store.master(*store.find("shared.weight"));
  for (std::int64_t i : {0, 5, 15}) {  // central differences of the doubly used weight
    const float before = weight.data<float>()[i], step = 1e-2F;
    weight.data<float>()[i] = before + step;
    const double above = loss(nullptr);
    weight.data<float>()[i] = before - step;
    const double below = loss(nullptr);
    weight.data<float>()[i] = before;
    EXPECT_NEAR(gradients[3][static_cast<std::size_t>(i)], (above - below) / (2 * step), 2e-3);
  }
}

TEST_F(TapeTest, FrozenParametersAreNeverReadyAndTheOthersGetTheSameGradients) {
  for (const char* pattern : {"none", "*.bias", "second.weight", "second.*", "first.*"}) {
    ParameterStore own;
    const nn::Linear first(own, "first", 6, 5, true), second(own, "second", 5, 5, false),
        third(own, "third", 5, 3, false);
    own.freeze(pattern);
    own.finalize(DType::fp32, 1);
    ready.clear();
    nn::Tape t(stream, own, [&](const Parameter& p, const Tensor&) { ready.push_back(p.name); });
    const nn::Pass pass{.stream = stream, .parameters = own, .tape = &t};
    const nn::Variable middle = first(pass, {images(2, 6)});
    EXPECT_EQ(middle.node < 0, std::string(pattern) == "first.*") << pattern;
    loss_of(pass, third(pass, second(pass, second(pass, middle))), labels({0, 2}));
    t.backward();
    std::vector<std::string> expected;
    for (const Parameter* p : own.trainable_parameters()) expected.push_back(p->name);
    EXPECT_EQ(ready, expected) << pattern;
  }
}

TEST_F(TapeTest, AFrozenWeightLeavesTheGradientOfItsBiasAsItWas) {
  std::vector<double> bias[2];
  for (const bool frozen : {false, true}) {
    ParameterStore own;
    const nn::Linear shared(own, "shared", 4, 4, false), head(own, "head", 4, 3, false);
    if (frozen) own.freeze("shared.weight");
    own.finalize(DType::fp32, 1);
    nn::Tape t(stream, own, [&](const Parameter& p, const Tensor& gradient) {
      if (p.name == "shared.bias") bias[frozen] = test::values_of(gradient);
    });
    const nn::Pass pass{.stream = stream, .parameters = own, .tape = &t};
    const nn::Variable x = shared(pass, shared(pass, {images(3, 4)}));
    loss_of(pass, head(pass, x), labels({0, 1, 2}));
    t.backward();
  }
  EXPECT_EQ(bias[0], bias[1]);
  EXPECT_FALSE(bias[0].empty());
}

TEST_F(TapeTest, ActivationsOfAFrozenBeginningAreNotKept) {
  const nn::Linear first(store, "first", 64, 64, true), second(store, "second", 64, 3, false);
  store.freeze("first.*");
  store.finalize(DType::fp16, 1);
  const std::int64_t before = activations_now();
  nn::Tape t = tape();
  const nn::Pass pass{.stream = stream, .parameters = store, .tape = &t};
  { const nn::Variable unused = nn::relu(pass, "relu", first(pass, {images(8, 64)})); }
  EXPECT_EQ(activations_now(), before);
}

TEST_F(TapeTest, ActivationsAreFreedAsTheTapeUnwinds) {
  const nn::Linear first(store, "first", 64, 64, true), second(store, "second", 64, 3, false);
  store.finalize(DType::fp16, 1);
  const std::int64_t before = activations_now();
  {
    nn::Tape t = tape();
    const nn::Pass pass{.stream = stream, .parameters = store, .tape = &t};
    loss_of(pass, second(pass, first(pass, {images(8, 64)})), labels({0, 1, 2, 0, 1, 2, 0, 1}));
    EXPECT_GE(activations_now() - before, 8 * 64 * 2);
    t.backward();
    EXPECT_EQ(activations_now(), before);
  }
}

TEST_F(TapeTest, ValueUsedTwiceAddsItsGradients) {
  const nn::Linear head(store, "head", 4, 3, false);
  store.finalize(DType::fp32, 1);
  nn::Tape t = tape();
  const std::string name = "x";
  const Tensor value({2, 4}, DType::fp32, MemoryKind::activations);
  Tensor seen;
  const nn::Variable x = t.record(name, "test", value, {}, [&](const Tensor& dy) { seen = dy; });
  const Tensor one({2, 4}, DType::fp32, MemoryKind::activations), two({2, 4}, DType::fp32, MemoryKind::activations);
  fill_uniform(one, 1);
  fill_uniform(two, 2);
  const std::vector<double> a = test::values_of(one), b = test::values_of(two);
  t.accumulate(x.node, one);
  t.accumulate(x.node, two);
  t.backward();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(test::values_of(seen)[i], static_cast<float>(a[i] + b[i]));
}

}  // namespace
}  // namespace mpdist
