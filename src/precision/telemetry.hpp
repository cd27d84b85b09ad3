// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <string>

#include "kernels/exponent_histogram.hpp"
#include "src/precision/loss_scaler.hpp"

namespace mpdist::precision {

/// Where the values of one tensor lie, all shards together. They are those of the backward pass, multiplied by the loss
/// scale.
struct TensorRange {
  std::string name;            ///< parameter "conv2.weight", or layer "conv2"
  std::string operation = {};  ///< of a layer: "conv2d"
  kernels::ExponentCounts counts = {};
};

/// What a range says of FP16, whose numbers reach from 2^-24 (subnormal below 2^-14) to below 2^16.
struct RangeSummary {
  std::int64_t elements = 0;
  double zero_percent = 0;       ///< zero as stored
  double subnormal_percent = 0;  ///< not zero, but below 2^-14: FP16 keeps fewer than 11 bits of them
  /// What FP16 would make zero without loss scaling: |x|/scale below 2^-25, half the smallest FP16 number; what is zero
  /// as stored counts too.
  double lost_at_scale_1_percent = 0;
  std::int64_t nonfinite = 0;
  std::optional<int> lowest, highest;  ///< binary exponents of the finite values; none when all are zero
  std::optional<int> headroom;         ///< doublings of the scale until the largest leaves FP16: 15 - highest
};

/// `scale`: the loss scale that the counted values carry, a power of two.
RangeSummary summarise(const kernels::ExponentCounts& counts, double scale);

/// The counts of all ranges together, added to `sum`.
kernels::ExponentCounts total(std::span<const TensorRange> ranges, kernels::ExponentCounts sum = {});

/// The largest power of two that leaves the largest value two doublings below FP16's limit, within the scaler's floor
/// and ceiling; half the present scale where something is not finite already. Nothing when no value is left to tell.
std::optional<double> recommended_scale(const RangeSummary& summary, double scale, const LossScalerOptions& limits);

}  // namespace mpdist::precision
