// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>

#include "kernels/gradient_statistics.hpp"

namespace mpdist::kernels {

/// How many elements lie in each power of two. Exponents are those of the values, not of their encoding: the FP16
/// subnormal 2^-24 counts at -24.
struct ExponentCounts {
  static constexpr int kLowest = -149, kHighest = 127;           ///< of FP32, which holds FP16 (-24 to 15) and BF16
  std::array<std::int64_t, kHighest - kLowest + 1> finite = {};  ///< [e - kLowest]: 2^e <= |x| < 2^(e+1)
  std::int64_t zero = 0;
  std::int64_t nonfinite = 0;  ///< inf or NaN
};

/// Adds the elements of each segment to its counts (as Micikevicius et al. 2018, figure 3, count activation gradients).
struct ExponentHistogram {
  Tensor values;                          ///< [n] compute type
  const SegmentSpan* segments = nullptr;  ///< [segment_count]
  std::int64_t segment_count = 0;
  ExponentCounts* counts = nullptr;  ///< [segment_count] in and out, host memory
  void validate() const {
    checks::compute_type("exponent_histogram", "values", values);
    checks::spans_fit("exponent_histogram", segments, segment_count, values.elements());
    if (segment_count > 0) checks::pointer("exponent_histogram", "counts", counts);
  }
};
MPDIST_KERNEL(exponent_histogram, ExponentHistogram);

}  // namespace mpdist::kernels
