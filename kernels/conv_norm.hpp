// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/conv2d.hpp"
#include "kernels/deferred_norm.hpp"

namespace mpdist::kernels {

/// Convolution without bias and the statistics of the batch norm behind it (conv2d.hpp, batch_norm.hpp), tile by tile:
///   z = conv(x, weight), rounded once;  mean, rstd, unbiased variance of z per channel
///   scale = gamma*rstd;  shift = beta - mean*scale:   the norm's result is then NormApply's with x = z
/// Where x itself is a norm's result that is not written yet (`input`), each tile of it is written just before the
/// convolution reads it. Statistics are sums of z - K and (z - K)^2, K the mean of the first image, in FP32 over blocks
/// of rows and FP64 over blocks: the variance's relative error grows with images * 2^-24 at most, whatever the mean.
struct ConvNormForward {
  Tensor x;         ///< [n, h, w, in] compute type
  NormApply input;  ///< input.y is x; input.x empty where x is written already
  Tensor weight;    ///< [out, kernel_h, kernel_w, in/groups] compute type
  Tensor z;         ///< [n, out_h, out_w, out] compute type, out
  Conv2dGeometry geometry;
  Tensor gamma, beta;                    ///< [out] FP32; empty, as all below, where only z is wanted
  Tensor mean, rstd, unbiased_variance;  ///< [out] FP32, out
  Tensor scale, shift;                   ///< [out] FP32, out
  float epsilon = 1e-5F;
  void validate() const;
};
MPDIST_KERNEL(conv_norm_forward, ConvNormForward);

/// The gradients of ConvNormForward's weight and input, tile by tile. With g the gradient of the norm's result after
/// the activation's mask, and its sums (NormSums):
///   dz = gamma * rstd * (g - sum(g)/rows - xhat * sum(g*xhat)/rows),  xhat = (z - mean) * rstd,  rounded once
///   dweight = sum over places of dz * x;   dx = dz * weight, which goes on to where x came from:
///   dx = (dx + dx_more) where x > 0 (with `mask`), else 0;  then the sums that norms wait for
/// dx is rounded once, after the sum; where the convolution itself computes in the compute type (FP16 and BF16 on
/// hardware that has them), also before it.
struct ConvNormBackward {
  Tensor x, weight, z;       ///< as in forward
  Tensor gamma, mean, rstd;  ///< [out] FP32
  Tensor g;                  ///< as z
  Tensor sums;               ///< [2, out] FP32: sum(g), sum(g*xhat)
  Conv2dGeometry geometry;
  Tensor dweight;           ///< FP32, shaped as weight; may be empty
  bool accumulate = false;  ///< add to dweight: second use of the weight
  Tensor dz;                ///< as z, out; empty unless somebody wants to see it
  Tensor dx;                ///< as x, out; may be empty
  Tensor dx_more;           ///< as x: what other uses of x contributed; may be empty, may be dx, may be g
  bool mask = false;        ///< x came through a ReLU
  NormSums norms[2];        ///< that wait for dx
  void validate() const;
};
MPDIST_KERNEL(conv_norm_backward, ConvNormBackward);

}  // namespace mpdist::kernels
