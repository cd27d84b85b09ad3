// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Window, stride and zero padding of a pooling, the same in both directions.
/// out extent = (in + 2*padding - window) / stride + 1.
struct PoolingGeometry {
  std::int64_t window = 2, stride = 2, padding = 0;
  std::int64_t output_extent(std::int64_t input) const { return (input + 2 * padding - window) / stride + 1; }
};

/// y = largest x of each window (padding never wins; NaN wins).
struct MaxPoolForward {
  Tensor x;  ///< [n, h, w, channels] compute type
  Tensor y;  ///< [n, out_h, out_w, channels]
  PoolingGeometry geometry;
  void validate() const;
};
MPDIST_KERNEL(max_pool_forward, MaxPoolForward);

/// dx = dy at the first largest x of each window (row-major order), 0 elsewhere; overlapping windows add in FP32.
struct MaxPoolBackward {
  Tensor x, dy;
  Tensor dx;  ///< [n, h, w, channels]
  PoolingGeometry geometry;
  void validate() const;
};
MPDIST_KERNEL(max_pool_backward, MaxPoolBackward);

/// y = mean of each window over window*window places (padding counts as zero, as PyTorch's default), FP32 sum.
struct AveragePoolForward {
  Tensor x, y;  ///< as MaxPoolForward
  PoolingGeometry geometry;
  void validate() const;
};
MPDIST_KERNEL(average_pool_forward, AveragePoolForward);

struct AveragePoolBackward {
  Tensor dy, dx;  ///< [n, out_h, out_w, channels], [n, h, w, channels]
  PoolingGeometry geometry;
  void validate() const;
};
MPDIST_KERNEL(average_pool_backward, AveragePoolBackward);

}  // namespace mpdist::kernels
