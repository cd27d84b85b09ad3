// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Stride, zero padding and groups of a convolution, stride and padding the same in both directions.
struct Conv2dGeometry {
  std::int64_t stride = 1, padding = 0, groups = 1;
  std::int64_t output_extent(std::int64_t input, std::int64_t kernel) const {
    return (input + 2 * padding - kernel) / stride + 1;
  }
};

/// The shape of y for x [n, h, w, in] and weight [out, kernel_h, kernel_w, in/groups]; throws InvalidArgument, naming
/// `kernel`, when x, weight and geometry do not fit.
Shape convolution_output(const char* kernel, const Tensor& x, const Tensor& weight, const Conv2dGeometry& geometry);

/// y[n,p,q,k] = activation(bias[k] + sum over r,s,c of weight[k,r,s,c] * x[n, p*stride+r-padding, q*stride+s-padding,
/// c]) (cross-correlation, as every framework): operands in the compute type, FP32 accumulation, rounded once on store.
struct Conv2dForward {
  Tensor x;       ///< [n, h, w, in] compute type
  Tensor weight;  ///< [out, kernel_h, kernel_w, in/groups] compute type
  Tensor bias;    ///< [out] compute type; may be empty
  Tensor y;       ///< [n, out_h, out_w, out] compute type
  Conv2dGeometry geometry;
  bool relu = false;  ///< y = max(.., 0) in the same pass, NaN kept
  void validate() const;
};
MPDIST_KERNEL(conv2d_forward, Conv2dForward);

/// With g = dy (where relu: dy at y > 0, else 0): gradients for input (rounded once), weight and bias (FP32).
struct Conv2dBackward {
  Tensor x, weight;
  Tensor y;        ///< needed with relu only
  Tensor dy;       ///< as y; overwritten by g
  Tensor dx;       ///< as x; empty when the input needs no gradient
  Tensor dweight;  ///< FP32, shaped as weight; empty when the weight is frozen
  Tensor dbias;    ///< [out] FP32; empty when there is no bias
  Conv2dGeometry geometry;
  bool relu = false;
  bool accumulate = false;  ///< add to dweight and dbias: second use of a parameter
  void validate() const;
};
MPDIST_KERNEL(conv2d_backward, Conv2dBackward);

}  // namespace mpdist::kernels
