// SPDX-License-Identifier: Apache-2.0
#include "src/core/parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace mpdist {
namespace {

using enum ParameterRole;

std::vector<float> master_values(const ParameterStore& store, std::string_view name) {
  const Tensor master = store.master(*store.find(name));
  return {master.data<float>(), master.data<float>() + master.elements()};
}

/// Two layers: weights [5, 7] and [3, 5], biases [5] and [3].
void add_two_layers(ParameterStore& store) {
  store.add("first", "weight", {5, 7}, weight, Initializer::he_normal, 7, 5);
  store.add("first", "bias", {5}, bias, Initializer::zeros);
  store.add("second", "weight", {3, 5}, weight, Initializer::glorot_uniform, 5, 3);
  store.add("second", "bias", {3}, bias, Initializer::ones);
}

TEST(ParameterStore, LaysOutInGradientOrderWithAlignedOffsets) {
  ParameterStore store;
  add_two_layers(store);
  store.finalize(DType::fp16, 1);
  const std::vector<std::string> names = {"second.bias", "second.weight", "first.bias", "first.weight"};
  const std::vector<std::int64_t> offsets = {0, 32, 64, 96};
  ASSERT_EQ(store.parameters().size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Parameter& p = *store.parameters()[i];
    EXPECT_EQ(p.name, names[i]);
    EXPECT_EQ(p.offset, offsets[i]);
    EXPECT_EQ(p.index, static_cast<int>(i));
    EXPECT_EQ(store.find(p.name), &p);
  }
  EXPECT_EQ(store.find("third.weight"), nullptr);
  EXPECT_EQ(store.elements(), 96 + 64);
  EXPECT_EQ(store.trainable(), 3 + 15 + 5 + 35);
  EXPECT_EQ(store.find("first.weight")->layer, "first");
}

TEST(ParameterStore, FrozenParametersLieBehindTheOthers) {
  ParameterStore store;
  add_two_layers(store);
  EXPECT_EQ(store.freeze("third.*"), 0);
  EXPECT_EQ(store.freeze("*.bias"), 2);
  EXPECT_EQ(store.freeze("second.*"), 2);
  EXPECT_EQ(store.trainable(), 35);
  EXPECT_EQ(store.frozen(), 3 + 15 + 5);
  store.finalize(DType::fp16, 1);
  std::vector<std::string> names;
  for (const Parameter* p : store.parameters()) names.push_back(p->name);
  EXPECT_EQ(names, (std::vector<std::string>{"first.weight", "second.bias", "second.weight", "first.bias"}));
  ASSERT_EQ(store.trainable_parameters().size(), 1U);
  EXPECT_EQ(store.trainable_parameters()[0], store.find("first.weight"));
  EXPECT_EQ(store.trainable_elements(), 64);
  EXPECT_EQ(store.elements(), 64 + 96);
  EXPECT_EQ(store.find("second.bias")->offset, 64);
  EXPECT_THROW(store.freeze("*"), InvalidArgument);
}

TEST(ParameterStore, FreezingDoesNotChangeTheInitialValues) {
  ParameterStore plain, frozen;
  add_two_layers(plain);
  add_two_layers(frozen);
  frozen.freeze("first.*");
  plain.finalize(DType::fp32, 1);
  frozen.finalize(DType::fp32, 1);
  for (const Parameter* p : plain.parameters()) {
    EXPECT_EQ(master_values(plain, p->name), master_values(frozen, p->name)) << p->name;
  }
}

TEST(ParameterStore, SlicesAreViewsOfTheFlatArrays) {
  ParameterStore store;
  add_two_layers(store);
  store.finalize(DType::fp16, 1);
  const Parameter& p = *store.find("first.weight");
  EXPECT_EQ(store.master(p).shape(), (Shape{5, 7}));
  EXPECT_EQ(store.master(p).data<float>(), store.master().data<float>() + p.offset);
  EXPECT_EQ(store.working(p).dtype(), DType::fp16);
  EXPECT_EQ(store.working(p).data<half>(), store.working().data<half>() + p.offset);
}

TEST(ParameterStore, PaddingIsZero) {
  ParameterStore store;
  add_two_layers(store);
  store.finalize(DType::bf16, 1);
  std::vector<bool> is_parameter(static_cast<std::size_t>(store.elements()));
  for (const Parameter* p : store.parameters()) {
    std::fill_n(is_parameter.begin() + p->offset, p->elements(), true);
  }
  for (std::int64_t i = 0; i < store.elements(); ++i) {
    if (is_parameter[static_cast<std::size_t>(i)]) continue;
    EXPECT_EQ(store.master().data<float>()[i], 0.0f);
    EXPECT_EQ(store.working().data<bfloat16>()[i].bits, 0);
  }
}

TEST(ParameterStore, WithFp32TheWorkingCopyIsTheMaster) {
  ParameterStore store;
  add_two_layers(store);
  store.finalize(DType::fp32, 1);
  EXPECT_EQ(store.working().raw(), store.master().raw());
}

TEST(ParameterStore, InitialValuesBelongToTheNameNotToTheOrder) {
  ParameterStore forward, reversed, other_seed;
  add_two_layers(forward);
  reversed.add("second", "weight", {3, 5}, weight, Initializer::glorot_uniform, 5, 3);
  reversed.add("extra", "weight", {2, 2}, weight, Initializer::he_normal, 2, 2);
  reversed.add("first", "weight", {5, 7}, weight, Initializer::he_normal, 7, 5);
  add_two_layers(other_seed);
  forward.finalize(DType::fp32, 1);
  reversed.finalize(DType::fp16, 1);
  other_seed.finalize(DType::fp32, 2);
  for (const char* name : {"first.weight", "second.weight"}) {
    EXPECT_EQ(master_values(forward, name), master_values(reversed, name)) << name;
    EXPECT_NE(master_values(forward, name), master_values(other_seed, name)) << name;
  }
}

TEST(ParameterStore, LayersOfOneShapeStartDifferently) {
  ParameterStore store;
  store.add("a", "weight", {4, 4}, weight, Initializer::he_normal, 4, 4);
  store.add("b", "weight", {4, 4}, weight, Initializer::he_normal, 4, 4);
  store.finalize(DType::fp32, 1);
  EXPECT_NE(master_values(store, "a.weight"), master_values(store, "b.weight"));
}

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  for (float v : values) m.mean += v / static_cast<double>(values.size());
  for (float v : values) {
    m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::abs(static_cast<double>(v)));
  }
  return m;
}

TEST(Initializer, HasTheMomentsOfItsPaper) {
  constexpr std::int64_t kFanIn = 50, kFanOut = 30, kCount = 40000;
  ParameterStore store;
  store.add("he", "weight", {kCount}, weight, Initializer::he_normal, kFanIn, kFanOut);
  store.add("glorot", "weight", {kCount}, weight, Initializer::glorot_uniform, kFanIn, kFanOut);
  store.add("ones", "weight", {10}, norm, Initializer::ones);
  store.add("zeros", "bias", {10}, bias, Initializer::zeros);
  store.finalize(DType::fp32, 3);

  // Bands of five standard errors: sqrt(v/n) of the mean, v*sqrt(2/n) (normal) of the variance.
  const Moments he = moments(master_values(store, "he.weight"));
  EXPECT_NEAR(he.mean, 0, 5 * std::sqrt(2.0 / kFanIn / kCount));
  EXPECT_NEAR(he.variance, 2.0 / kFanIn, 5 * 2.0 / kFanIn * std::sqrt(2.0 / kCount));
  EXPECT_GT(he.largest, 3.5 * std::sqrt(2.0 / kFanIn)) << "a normal distribution has tails";

  const double limit = std::sqrt(6.0 / (kFanIn + kFanOut));
  const Moments glorot = moments(master_values(store, "glorot.weight"));
  EXPECT_NEAR(glorot.mean, 0, 5 * limit / std::sqrt(3.0 * kCount));
  EXPECT_NEAR(glorot.variance, limit * limit / 3, 5 * limit * limit / 3 * std::sqrt(0.8 / kCount));
  EXPECT_LE(glorot.largest, limit * 1.000001);
  EXPECT_GT(glorot.largest, limit * 0.99);

  EXPECT_EQ(master_values(store, "ones.weight"), std::vector<float>(10, 1.0f));
  EXPECT_EQ(master_values(store, "zeros.bias"), std::vector<float>(10, 0.0f));
}

TEST(ParameterStore, RefusesMisuse) {
  ParameterStore store;
  store.add("a", "weight", {2}, weight, Initializer::zeros);
  EXPECT_THROW(store.add("a", "weight", {2}, weight, Initializer::zeros), InvalidArgument);
  EXPECT_THROW(store.finalize(DType::int32, 1), InvalidArgument);
  store.finalize(DType::fp32, 1);
  EXPECT_THROW(store.finalize(DType::fp32, 1), InvalidArgument);
  EXPECT_THROW(store.add("b", "weight", {2}, weight, Initializer::zeros), InvalidArgument);
}

}  // namespace
}  // namespace mpdist
