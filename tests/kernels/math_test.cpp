// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/math.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace mpdist::kernels::cpu {
namespace {

/// Largest error of f against g over [low, high], in units of 2^-24 of the result.
template <class F, class G>
double worst(double low, double high, F f, G g) {
  double largest = 0;
  for (int i = 0; i <= 200000; ++i) {
    const auto x = static_cast<float>(low + (high - low) * i / 200000);
    const double expected = g(static_cast<double>(x));
    largest = std::max(largest, std::abs(first_lane(f(broadcast(x))) - expected) / std::abs(expected) * 0x1p24);
  }
  return largest;
}

TEST(Math, ExpIsWithinTwoUnitsInTheLastPlace) {
  EXPECT_LE(worst(-87, 88.7, exp, [](double x) { return std::exp(x); }), 4);
  EXPECT_LE(worst(-1, 1, exp, [](double x) { return std::exp(x); }), 4);
  const auto of = [](float x) { return first_lane(exp(broadcast(x))); };
  EXPECT_EQ(of(0.0F), 1.0F);
  EXPECT_EQ(of(-200.0F), 0.0F);
  EXPECT_EQ(of(-std::numeric_limits<float>::infinity()), 0.0F);
  EXPECT_EQ(of(90.0F), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(of(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_NEAR(of(-100.0F), std::exp(-100.0), 0x1p-149) << "a subnormal result";
}

TEST(Math, LogIsWithinThreeUnitsInTheLastPlace) {
  EXPECT_LE(worst(1e-3, 0.9, log, [](double x) { return std::log(x); }), 6);
  EXPECT_LE(worst(1.001, 10, log, [](double x) { return std::log(x); }), 6);
  EXPECT_LE(worst(10, 1e6, log, [](double x) { return std::log(x); }), 6);
  EXPECT_EQ(first_lane(log(broadcast(1.0F))), 0.0F);
  EXPECT_TRUE(std::isnan(first_lane(log(broadcast(std::numeric_limits<float>::quiet_NaN())))));
}

TEST(Math, TheNormalDistributionKeepsItsRelativeErrorInTheTail) {
  const auto reference = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
  EXPECT_LE(worst(-1, 4, normal_distribution, reference), 8 + 1);
  EXPECT_LE(worst(-4, -1, normal_distribution, reference), 8 + 16);
  EXPECT_LE(worst(-12, -4, normal_distribution, reference), 8 + 144);
  EXPECT_EQ(first_lane(normal_distribution(broadcast(10.0F))), 1.0F);
}

TEST(Math, TheNormalDensity) {
  const auto reference = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); };
  EXPECT_LE(worst(-4, 4, normal_density, reference), 8 + 16);
}

TEST(Vector, LoadsAndStoresOfATailTouchNothingBeyond) {
  for (std::int64_t count = 1; count < kLanes; ++count) {
    float source[kLanes], target[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i) source[i] = target[i] = static_cast<float>(i + 1);
    store(target, load(source, FirstLanes{count}) + broadcast(100.0F), FirstLanes{count});
    float lanes[kLanes];
    store(lanes, load(source, FirstLanes{count}));
    for (std::int64_t i = 0; i < kLanes; ++i) {
      const auto original = static_cast<float>(i + 1);
      EXPECT_EQ(target[i], i < count ? original + 100 : original);
      EXPECT_EQ(lanes[i], i < count ? original : 0.0F);
    }
  }
}

TEST(Vector, SumsInOneFixedTree) {
  float lane[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) lane[i] = 1.0F / static_cast<float>(i + 3);
  const F32x16 vector = load(lane);
  for (std::int64_t width = 8; width > 0; width /= 2) {
    for (std::int64_t i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  EXPECT_EQ(sum(vector), lane[0]);
}

TEST(Vector, MultipliesOfSixtyFourBits) {
  std::uint64_t a[kLanes], b[kLanes], product[kLanes];
  for (std::uint64_t i = 0; i < kLanes; ++i) {
    a[i] = 0x9E3779B97F4A7C15u * (i + 1);
    b[i] = 0xBF58476D1CE4E5B9u ^ (i << 40);
  }
  store(product, load(a) * load(b));
  for (std::int64_t i = 0; i < kLanes; ++i) EXPECT_EQ(product[i], a[i] * b[i]);
}

}  // namespace
}  // namespace mpdist::kernels::cpu
