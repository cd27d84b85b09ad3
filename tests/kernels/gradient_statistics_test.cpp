// SPDX-License-Identifier: Apache-2.0
#include "kernels/gradient_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/digest.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TensorStatistics statistics_of(const Tensor& gradient, SegmentSpan segment) {
  Stream stream;
  TensorStatistics result;
  gradient_statistics(stream, {.gradient = gradient, .segments = &segment, .segment_count = 1, .statistics = &result});
  return result;
}

TEST(GradientStatistics, ByHand) {
  Stream stream;
  const GuardedTensor gradient({8}, DType::fp16);
  set_values(gradient, {3.0F, 4.0F, 100.0F, kInfinity, -kInfinity, kNan, 2.0F, 0.0F});
  const SegmentSpan segments[] = {{0, 2}, {3, 5}};
  TensorStatistics results[2];
  gradient_statistics(stream, {.gradient = gradient, .segments = segments, .segment_count = 2, .statistics = results});
  EXPECT_EQ(results[0].sum_squares, 25.0);
  EXPECT_EQ(results[0].nonfinite, 0);
  EXPECT_EQ(results[1].sum_squares, 4.0) << "of the finite elements";
  EXPECT_EQ(results[1].nonfinite, 3);
  EXPECT_EQ(results[1].digest, mix(0x7c00, 3) + mix(0xfc00, 4) + mix(0x7e00, 5) + mix(0x4000, 6) + mix(0, 7));
}

/// The sixteen lanes and their tree, spelled out: what the sum must be to the last bit.
double lane_sum(const std::vector<double>& values) {
  double lane[16] = {};
  for (std::size_t i = 0; i < values.size(); ++i) lane[i % 16] += values[i] * values[i];
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

TEST(GradientStatistics, SumsInSixteenLanesToTheLastBit) {
  for_ladder([](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor gradient = uniform_tensor({size}, type, 4, misalignment);
    const TensorStatistics result = statistics_of(gradient, {0, size});
    EXPECT_EQ(result.sum_squares, lane_sum(values_of(gradient)));
    EXPECT_EQ(result.nonfinite, 0);
  });
}

TEST(GradientStatistics, FindsANonfiniteElementAtEveryPlace) {
  for (DType type : kComputeTypes) {
    const GuardedTensor gradient = uniform_tensor({37}, type, 4);
    for (std::int64_t i = 0; i < 37; ++i) {
      fill_uniform(gradient, 4);
      set_value(gradient, i, i % 2 ? kNan : -kInfinity);
      EXPECT_EQ(statistics_of(gradient, {0, 37}).nonfinite, 1) << i;
      EXPECT_TRUE(std::isfinite(statistics_of(gradient, {0, 37}).sum_squares));
    }
  }
}

TEST(GradientStatistics, DigestOfASegmentIsThatOfTheSlice) {
  Stream stream;
  for (DType type : kComputeTypes) {
    const GuardedTensor gradient = uniform_tensor({200}, type, 5);
    std::uint64_t expected = 0;
    digest(stream, {.tensor = gradient.view().rows(33, 120), .first_index = 33, .digest = &expected});
    EXPECT_EQ(statistics_of(gradient, {33, 87}).digest, expected);
  }
}

TEST(GradientStatistics, RefusesASegmentOutside) {
  const GuardedTensor gradient({8}, DType::fp32);
  EXPECT_THROW(statistics_of(gradient, {4, 5}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
