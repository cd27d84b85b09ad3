// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Per-tensor results of one pass over the reduced gradient.
struct TensorStatistics {
  double sum_squares = 0;  ///< of the finite elements, FP64, in an order of the CPU's and one of the GPU's: the same
                           ///< bits for every instruction set, and for every GPU
  std::int64_t nonfinite = 0;  ///< inf or NaN elements
  std::uint64_t digest = 0;    ///< sum over elements of mix(bits, index), see digest.hpp
};

/// A run of elements that belongs to one parameter.
struct SegmentSpan {
  std::int64_t offset = 0;  ///< first element
  std::int64_t elements = 0;
};

namespace checks {
/// `count` segments, each inside an array of `elements`.
inline void spans_fit(std::string_view kernel, const SegmentSpan* segments, std::int64_t count, std::int64_t elements) {
  if (count > 0) pointer(kernel, "segments", segments);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto [offset, length] = segments[i];
    require(offset >= 0 && length >= 0 && offset + length <= elements, "{}: segment {} is [{}, {}) of {} elements",
            kernel, i, offset, offset + length, elements);
  }
}
}  // namespace checks

/// One pass over a flat gradient: sum of squares, count of non-finite elements and digest of each segment.
struct GradientStatistics {
  Tensor gradient;                        ///< [n] wire type
  const SegmentSpan* segments = nullptr;  ///< [segment_count]
  std::int64_t segment_count = 0;
  TensorStatistics* statistics = nullptr;  ///< [segment_count] out, host memory
  void validate() const {
    checks::compute_type("gradient_statistics", "gradient", gradient);
    checks::spans_fit("gradient_statistics", segments, segment_count, gradient.elements());
    if (segment_count > 0) checks::pointer("gradient_statistics", "statistics", statistics);
  }
};
MPDIST_KERNEL(gradient_statistics, GradientStatistics);

}  // namespace mpdist::kernels
