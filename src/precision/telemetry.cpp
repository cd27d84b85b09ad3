// SPDX-License-Identifier: Apache-2.0
#include "src/precision/telemetry.hpp"

#include <algorithm>
#include <cmath>

namespace mpdist::precision {
namespace {

using kernels::ExponentCounts;

constexpr int kHighestFp16 = 15, kLowestNormalFp16 = -14, kLowestRoundedFp16 = -25;
constexpr int kMargin = 2;  // doublings kept in reserve: later batches are not bounded by this one

/// Elements with an exponent below `exponent`, without zeros.
std::int64_t below(const ExponentCounts& counts, int exponent) {
  std::int64_t sum = 0;
  for (int e = ExponentCounts::kLowest; e < std::min(exponent, ExponentCounts::kHighest + 1); ++e) {
    sum += counts.finite[static_cast<std::size_t>(e - ExponentCounts::kLowest)];
  }
  return sum;
}

}  // namespace

RangeSummary summarise(const ExponentCounts& counts, double scale) {
  RangeSummary summary{.nonfinite = counts.nonfinite};
  for (int e = ExponentCounts::kLowest; e <= ExponentCounts::kHighest; ++e) {
    const std::int64_t count = counts.finite[static_cast<std::size_t>(e - ExponentCounts::kLowest)];
    summary.elements += count;
    if (count == 0) continue;
    if (!summary.lowest) summary.lowest = e;
    summary.highest = e;
  }
  summary.elements += counts.zero + counts.nonfinite;
  if (summary.highest) summary.headroom = kHighestFp16 - *summary.highest;
  if (summary.elements == 0) return summary;
  const auto percent = [&](std::int64_t part) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(summary.elements);
  };
  const int log2_scale = std::ilogb(scale);
  summary.zero_percent = percent(counts.zero);
  summary.subnormal_percent = percent(below(counts, kLowestNormalFp16));
  summary.lost_at_scale_1_percent = percent(counts.zero + below(counts, kLowestRoundedFp16 + log2_scale));
  return summary;
}

ExponentCounts total(std::span<const TensorRange> ranges, ExponentCounts sum) {
  for (const TensorRange& range : ranges) {
    for (std::size_t i = 0; i < sum.finite.size(); ++i) sum.finite[i] += range.counts.finite[i];
    sum.zero += range.counts.zero;
    sum.nonfinite += range.counts.nonfinite;
  }
  return sum;
}

std::optional<double> recommended_scale(const RangeSummary& summary, double scale, const LossScalerOptions& limits) {
  double wanted = scale / 2;
  if (summary.nonfinite == 0) {
    if (!summary.headroom) return std::nullopt;
    wanted = std::ldexp(scale, *summary.headroom - kMargin);
  }
  return std::clamp(wanted, limits.floor, limits.ceiling);
}

}  // namespace mpdist::precision
