// SPDX-License-Identifier: Apache-2.0
#include "src/precision/telemetry.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mpdist::precision {
namespace {

using kernels::ExponentCounts;

struct Bin {
  int exponent;
  std::int64_t count;
};

ExponentCounts counts_of(std::initializer_list<Bin> bins, std::int64_t zero = 0, std::int64_t nonfinite = 0) {
  ExponentCounts counts{.zero = zero, .nonfinite = nonfinite};
  for (const Bin& bin : bins)
    counts.finite[static_cast<std::size_t>(bin.exponent - ExponentCounts::kLowest)] = bin.count;
  return counts;
}

TEST(Telemetry, SharesAndLimitsAtScaleOne) {
  // Of 100: 10 zero; 20 at 2^-26 and 5 at 2^-27, which FP16 rounds to zero; 15 at 2^-25, which it rounds to 2^-24; 10
  // at 2^-15, subnormal; 40 normal.
  const RangeSummary s = summarise(counts_of({{-27, 5}, {-26, 20}, {-25, 15}, {-15, 10}, {-14, 25}, {3, 15}}, 10), 1);
  EXPECT_EQ(s.elements, 100);
  EXPECT_EQ(s.zero_percent, 10);
  EXPECT_EQ(s.subnormal_percent, 50);
  EXPECT_EQ(s.lost_at_scale_1_percent, 35);
  EXPECT_EQ(s.lowest, -27);
  EXPECT_EQ(s.highest, 3);
  EXPECT_EQ(s.headroom, 12);
}

TEST(Telemetry, AScaleIsTakenOutForTheQuestionAtScaleOne) {
  const RangeSummary s = summarise(counts_of({{-17, 1}, {-16, 1}, {-15, 1}, {0, 1}}), 1024);
  EXPECT_EQ(s.lost_at_scale_1_percent, 50) << "2^-16 / 2^10 lies below 2^-25, 2^-15 / 2^10 does not";
  EXPECT_EQ(s.zero_percent, 0);
  EXPECT_EQ(s.subnormal_percent, 75);
}

TEST(Telemetry, NothingButZeros) {
  const RangeSummary s = summarise(counts_of({}, 7), 8);
  EXPECT_EQ(s.zero_percent, 100);
  EXPECT_FALSE(s.lowest || s.highest || s.headroom);
  EXPECT_FALSE(recommended_scale(s, 8, {}));
  EXPECT_EQ(summarise({}, 8).elements, 0);
}

TEST(Telemetry, RecommendedScaleLeavesTwoDoublings) {
  EXPECT_EQ(recommended_scale(summarise(counts_of({{5, 1}}), 1024), 1024, {}), 1024 * 256) << "15 - 5 - 2 doublings";
  EXPECT_EQ(recommended_scale(summarise(counts_of({{15, 1}}), 1024), 1024, {}), 256);
  EXPECT_EQ(recommended_scale(summarise(counts_of({{-30, 1}}), 1024), 1024, {}), 16777216) << "the ceiling";
  EXPECT_EQ(recommended_scale(summarise(counts_of({{15, 1}}), 2), 2, {}), 1) << "the floor";
  EXPECT_EQ(recommended_scale(summarise(counts_of({{5, 9}}, 0, 1), 1024), 1024, {}), 512) << "after an overflow";
}

TEST(Telemetry, TotalAddsRanges) {
  const std::vector<TensorRange> ranges = {{.name = "a", .counts = counts_of({{0, 1}, {1, 2}}, 3, 4)},
                                           {.name = "b", .counts = counts_of({{1, 10}}, 20, 30)}};
  const ExponentCounts sum = total(ranges, counts_of({{1, 100}}));
  EXPECT_EQ(sum.finite[static_cast<std::size_t>(1 - ExponentCounts::kLowest)], 112);
  EXPECT_EQ(sum.finite[static_cast<std::size_t>(0 - ExponentCounts::kLowest)], 1);
  EXPECT_EQ(sum.zero, 23);
  EXPECT_EQ(sum.nonfinite, 34);
}

}  // namespace
}  // namespace mpdist::precision
