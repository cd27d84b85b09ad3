// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

/// The passes of a batch norm (batch_norm.hpp) taken apart, so that a convolution that reads or differentiates its
/// result can do them tile by tile (conv_norm.hpp); here over whole tensors, for all others.
namespace mpdist::kernels {

/// A norm whose statistics are known and whose result is not written yet:
///   y = activation(x*scale + shift + residual), each of x [..., channels] with its channel's scale and shift.
/// The residual may be the result of a norm too that was never written: residual = round(residual*residual_scale +
/// residual_shift), rounded to its type as if it had been.
struct NormApply {
  Tensor x;                               ///< compute type: a convolution's output
  Tensor scale, shift;                    ///< [channels] FP32
  Tensor residual;                        ///< as x; may be empty
  Tensor residual_scale, residual_shift;  ///< [channels] FP32; empty where the residual is added as it is
  Tensor y;                               ///< as x, out
  bool relu = false;                      ///< y = max(.., 0), NaN kept
  void validate() const;
};
MPDIST_KERNEL(norm_apply, NormApply);

/// The coefficients of a norm with running statistics: scale = gamma / sqrt(variance + epsilon),
/// shift = beta - mean*scale.
struct NormCoefficients {
  Tensor gamma, beta, mean, variance;  ///< [channels] FP32
  Tensor scale, shift;                 ///< [channels] FP32, out
  float epsilon = 1e-5F;
  void validate() const;
};
MPDIST_KERNEL(norm_coefficients, NormCoefficients);

/// A norm that waits for the sums of its result's gradient g (after the activation's mask):
///   sums = [sum(g), sum(g * (z - mean) * rstd)], which are dbeta and dgamma.
struct NormSums {
  Tensor z;           ///< as g, compute type; empty: no norm waits
  Tensor mean, rstd;  ///< [channels] FP32
  Tensor sums;        ///< [2, channels] FP32, out
  /// For validate(): the norms that wait for `gradient`, the first ones first.
  static void check(const char* kernel, const NormSums (&norms)[2], const Tensor& gradient);
};

/// dx = 0 where not y > 0 (with `y`), else dx + more, rounded once; then the sums that norms wait for, in FP32 over
/// blocks of rows and FP64 over blocks.
struct NormGradient {
  Tensor dx;          ///< [..., channels] compute type, in place
  Tensor y;           ///< as dx; may be empty: no activation
  NormSums norms[2];  ///< the norm that made y, and that of its residual
  void validate() const;
};
MPDIST_KERNEL(norm_gradient, NormGradient);

}  // namespace mpdist::kernels
