// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Window, stride and zero padding of a pooling, the same in both directions.
/// out extent = (in + 2*padding - window) / stride + 1.
struct PoolingGeometry {
  std::int64_t window = 2, stride = 2, padding = 0;
  std::int64_t output_extent(std::int64_t input) const { return (input + 2 * padding - window) / stride + 1; }

  /// Throws unless `large` [n, h, w, channels] pools to `small` [n, out_h, out_w, channels] of the same compute type.
  void check(std::string_view kernel, const Tensor& large, const Tensor& small) const {
    checks::compute_type(kernel, "the input side", large);
    checks::type_is(kernel, "the output side", small, large.dtype());
    require(window >= 1 && stride >= 1 && padding >= 0 && 2 * padding <= window,
            "{}: window and stride must be at least 1, padding at most half the window; found {}, {}, {}", kernel,
            window, stride, padding);
    const Shape& in = large.shape();
    require(in.rank() == 4 && in[1] + 2 * padding >= window && in[2] + 2 * padding >= window,
            "{}: needs [n, h, w, channels] no smaller than the window {}, found {}", kernel, window, in.to_string());
    checks::shape_is(kernel, "the output side", small, {in[0], output_extent(in[1]), output_extent(in[2]), in[3]});
  }
};

/// y = largest x of each window (padding never wins; NaN wins).
struct MaxPoolForward {
  Tensor x;  ///< [n, h, w, channels] compute type
  Tensor y;  ///< [n, out_h, out_w, channels]
  PoolingGeometry geometry;
  void validate() const { geometry.check("max_pool_forward", x, y); }
};
MPDIST_KERNEL(max_pool_forward, MaxPoolForward);

/// dx = dy at the first largest x of each window (row-major order), 0 elsewhere; overlapping windows add in FP32.
struct MaxPoolBackward {
  Tensor x, dy;
  Tensor dx;  ///< [n, h, w, channels]
  PoolingGeometry geometry;
  void validate() const {
    geometry.check("max_pool_backward", dx, dy);
    checks::alike("max_pool_backward", "x", x, "dx", dx);
  }
};
MPDIST_KERNEL(max_pool_backward, MaxPoolBackward);

/// y = mean of each window over window*window places (padding counts as zero, as PyTorch's default), FP32 sum.
struct AveragePoolForward {
  Tensor x, y;  ///< as MaxPoolForward
  PoolingGeometry geometry;
  void validate() const { geometry.check("average_pool_forward", x, y); }
};
MPDIST_KERNEL(average_pool_forward, AveragePoolForward);

struct AveragePoolBackward {
  Tensor dy, dx;  ///< [n, out_h, out_w, channels], [n, h, w, channels]
  PoolingGeometry geometry;
  void validate() const { geometry.check("average_pool_backward", dx, dy); }
};
MPDIST_KERNEL(average_pool_backward, AveragePoolBackward);

}  // namespace mpdist::kernels
