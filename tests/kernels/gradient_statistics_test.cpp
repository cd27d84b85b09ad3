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
  Stream& stream = stream_under_test();
  const HostValue<TensorStatistics> result(stream);
  gradient_statistics(stream,
                      {.gradient = gradient, .segments = &segment, .segment_count = 1, .statistics = result.data()});
  return arrived(result);
}

TEST(GradientStatistics, ByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient({8}, DType::fp16);
  set_values(gradient, {3.0F, 4.0F, 100.0F, kInfinity, -kInfinity, kNan, 2.0F, 0.0F});
  const SegmentSpan segments[] = {{0, 2}, {3, 5}};
  const HostArray<TensorStatistics> results(stream, 2);
  gradient_statistics(stream,
                      {.gradient = gradient, .segments = segments, .segment_count = 2, .statistics = results.data()});
  stream.synchronize();
  EXPECT_EQ(results[0].sum_squares, 25.0);
  EXPECT_EQ(results[0].nonfinite, 0);
  EXPECT_EQ(results[1].sum_squares, 4.0) << "of the finite elements";
  EXPECT_EQ(results[1].nonfinite, 3);
  EXPECT_EQ(results[1].digest, mix(0x7c00, 3) + mix(0xfc00, 4) + mix(0x7e00, 5) + mix(0x4000, 6) + mix(0, 7));
}

/// The sixteen lanes of the CPU and their tree, spelled out.
double lane_sum(const std::vector<double>& values) {
  double lane[16] = {};
  for (std::size_t i = 0; i < values.size(); ++i) lane[i % 16] += values[i] * values[i];
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

/// On the CPU the order of the sum is known, on a GPU it is one of its own: FP64 to the order, and the same bits
/// wherever the array begins.
TEST(GradientStatistics, SumsInItsOrder) {
  for_ladder([](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor gradient = uniform_tensor({size}, type, 4, misalignment);
    const TensorStatistics result = statistics_of(gradient, {0, size});
    const double expected = lane_sum(values_of(gradient));
    if (device_under_test() == Device::cpu) {
      EXPECT_EQ(result.sum_squares, expected);
    } else {
      EXPECT_NEAR(result.sum_squares, expected, 0x1p-53 * static_cast<double>(size) * expected);
      const GuardedTensor elsewhere = uniform_tensor({size}, type, 4, 3);
      EXPECT_EQ(statistics_of(elsewhere, {0, size}).sum_squares, result.sum_squares);
    }
    EXPECT_EQ(result.nonfinite, 0);
  });
}

/// More elements than one block of a GPU takes, and an empty segment.
TEST(GradientStatistics, AddsUpTheTilesOfASegment) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient = uniform_tensor({10000}, DType::fp16, 7, 0, 1, 1);
  const SegmentSpan segments[] = {{0, 9001}, {9001, 0}, {9002, 998}};
  const HostArray<TensorStatistics> results(stream, 3, {.sum_squares = -1, .nonfinite = -1, .digest = 1});
  gradient_statistics(stream,
                      {.gradient = gradient, .segments = segments, .segment_count = 3, .statistics = results.data()});
  const HostValue<std::uint64_t> expected(stream);
  digest(stream, {.tensor = gradient.view().rows(0, 9001), .digest = expected.data()});
  EXPECT_EQ(results[0].digest, arrived(expected));
  EXPECT_EQ(results[0].sum_squares, 9001);
  EXPECT_EQ(results[1].sum_squares, 0);
  EXPECT_EQ(results[1].nonfinite, 0);
  EXPECT_EQ(results[1].digest, 0);
  EXPECT_EQ(results[2].sum_squares, 998);
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
  Stream& stream = stream_under_test();
  for (DType type : kComputeTypes) {
    const GuardedTensor gradient = uniform_tensor({200}, type, 5);
    const HostValue<std::uint64_t> expected(stream);
    digest(stream, {.tensor = gradient.view().rows(33, 120), .first_index = 33, .digest = expected.data()});
    EXPECT_EQ(statistics_of(gradient, {33, 87}).digest, arrived(expected));
  }
}

TEST(GradientStatistics, RefusesASegmentOutside) {
  const GuardedTensor gradient({8}, DType::fp32);
  EXPECT_THROW(statistics_of(gradient, {4, 5}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
