// SPDX-License-Identifier: Apache-2.0
#include "kernels/exponent_histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "tests/support/fill.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

ExponentCounts counts_of(const Tensor& values, SegmentSpan segment) {
  Stream& stream = stream_under_test();
  const HostValue<ExponentCounts> counts(stream);
  exponent_histogram(stream, {.values = values, .segments = &segment, .segment_count = 1, .counts = counts.data()});
  return arrived(counts);
}

std::map<int, std::int64_t> filled_bins(const ExponentCounts& counts) {
  std::map<int, std::int64_t> bins;
  for (int e = ExponentCounts::kLowest; e <= ExponentCounts::kHighest; ++e) {
    const std::int64_t count = counts.finite[static_cast<std::size_t>(e - ExponentCounts::kLowest)];
    if (count) bins[e] = count;
  }
  return bins;
}

TEST(ExponentHistogram, ByHand) {
  const GuardedTensor values({10}, DType::fp16);
  set_values(values, {1.0F, -1.5F, 2.0F, 0.0F, -0.0F, 65504.0F, 0x1p-24F, 0x1.8p-15F, kInfinity, kNan});
  const ExponentCounts counts = counts_of(values, {0, 10});
  EXPECT_EQ(counts.zero, 2);
  EXPECT_EQ(counts.nonfinite, 2);
  EXPECT_EQ(filled_bins(counts), (std::map<int, std::int64_t>{{-24, 1}, {-15, 1}, {0, 2}, {1, 1}, {15, 1}}));
}

TEST(ExponentHistogram, TheSmallestNumbersOfEachType) {
  const GuardedTensor fp32({4}, DType::fp32), bf16({3}, DType::bf16);
  set_values(fp32, {0x1p-149F, 0x1.8p-127F, 0x1p-126F, 0x1.fffffep127F});
  set_values(bf16, {0x1p-133F, -0x1p-126F, 0x1p127F});
  EXPECT_EQ(filled_bins(counts_of(fp32, {0, 4})),
            (std::map<int, std::int64_t>{{-149, 1}, {-127, 1}, {-126, 1}, {127, 1}}));
  EXPECT_EQ(filled_bins(counts_of(bf16, {0, 3})), (std::map<int, std::int64_t>{{-133, 1}, {-126, 1}, {127, 1}}));
}

TEST(ExponentHistogram, EveryElementIsCountedOnce) {
  for_ladder([](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor values = uniform_tensor({size}, type, 6, misalignment);
    set_value(values, size / 2, 0.0F);
    const ExponentCounts counts = counts_of(values, {0, size});
    std::map<int, std::int64_t> expected;
    for (double value : values_of(values)) {
      if (value != 0) ++expected[std::ilogb(value)];
    }
    EXPECT_EQ(filled_bins(counts), expected);
    EXPECT_EQ(counts.zero, 1) << "the elements beyond the tail are none";
  });
}

TEST(ExponentHistogram, AddsToTheCountsOfEachSegment) {
  Stream& stream = stream_under_test();
  const GuardedTensor values({6}, DType::bf16);
  set_values(values, {1, 1, 1, 4, 4, 0});
  const SegmentSpan segments[] = {{0, 2}, {2, 4}};
  const HostArray<ExponentCounts> counts(stream, 2);
  for (int pass = 0; pass < 2; ++pass) {
    exponent_histogram(stream, {.values = values, .segments = segments, .segment_count = 2, .counts = counts.data()});
  }
  stream.synchronize();
  EXPECT_EQ(filled_bins(counts[0]), (std::map<int, std::int64_t>{{0, 4}}));
  EXPECT_EQ(filled_bins(counts[1]), (std::map<int, std::int64_t>{{0, 2}, {2, 4}}));
  EXPECT_EQ(counts[1].zero, 2);
}

TEST(ExponentHistogram, RefusesASegmentOutside) {
  const GuardedTensor values({8}, DType::fp32);
  EXPECT_THROW(counts_of(values, {4, 5}), InvalidArgument);
  EXPECT_THROW(counts_of(GuardedTensor({8}, DType::int32), {0, 8}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
