// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Batch normalisation (Ioffe & Szegedy 2015, algorithm 1) over the rows of x, all of it in FP32 between one load and
/// one store; sums over rows are two passes with FP64 partial sums, per channel in row order:
///   mean = sum(x) / rows;  variance = sum((x - mean)^2) / rows;  rstd = 1 / sqrt(variance + epsilon)
///   y = activation((x - mean) * rstd * gamma + beta + residual)
struct BatchNormForward {
  Tensor x;                  ///< [..., channels] compute type; rows = all extents but the last, at least 2
  Tensor gamma, beta;        ///< [channels] FP32, read from the master
  Tensor residual;           ///< as x; may be empty
  Tensor y;                  ///< as x; may be x
  Tensor mean, rstd;         ///< [channels] FP32 out
  Tensor unbiased_variance;  ///< [channels] FP32 out: sum((x - mean)^2) / (rows - 1)
  float epsilon = 1e-5F;
  bool relu = false;  ///< y = max(.., 0), NaN kept
  void validate() const;
};
MPDIST_KERNEL(batch_norm_forward, BatchNormForward);

/// With g = dy (where relu: dy at y > 0, else 0) and xhat = (x - mean) * rstd:
///   dbeta = sum(g);  dgamma = sum(g * xhat);  dx = gamma * rstd * (g - dbeta/rows - xhat * dgamma/rows)
struct BatchNormBackward {
  Tensor x;              ///< as in forward (its values before normalisation)
  Tensor y;              ///< needed with relu only
  Tensor gamma;          ///< [channels] FP32
  Tensor mean, rstd;     ///< [channels] FP32, from forward
  Tensor dy;             ///< as x; overwritten by g, which is the residual's gradient too
  Tensor dx;             ///< as x
  Tensor dgamma, dbeta;  ///< [channels] FP32
  bool relu = false;
  bool accumulate = false;  ///< add to dgamma and dbeta: second use of the parameters
  void validate() const;
};
MPDIST_KERNEL(batch_norm_backward, BatchNormBackward);

/// y = activation((x - mean) / sqrt(variance + epsilon) * gamma + beta + residual) with running statistics: evaluation.
struct BatchNormInference {
  Tensor x;
  Tensor gamma, beta, mean, variance;  ///< [channels] FP32
  Tensor residual;                     ///< as x; may be empty
  Tensor y;                            ///< as x; may be x
  float epsilon = 1e-5F;
  bool relu = false;
  void validate() const;
};
MPDIST_KERNEL(batch_norm_inference, BatchNormInference);

}  // namespace mpdist::kernels
