// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// y = activation(x * weight^T + bias): operands in the compute type, products accumulated in FP32, rounded once on
/// store.
struct LinearForward {
  Tensor x;           ///< [rows, in] compute type
  Tensor weight;      ///< [out, in] compute type
  Tensor bias;        ///< [out] compute type; may be empty
  Tensor y;           ///< [rows, out] compute type
  bool relu = false;  ///< y = max(.., 0) in the same pass, NaN kept
  void validate() const;
};
MPDIST_KERNEL(linear_forward, LinearForward);

/// With g = dy (where relu: dy at y > 0, else 0):
/// dx = g * weight (rounded once);  dweight = g^T * x;  dbias = sum over rows of g, in FP32. With `accumulate`, dweight
/// and dbias are added to what is there (second use of a parameter).
struct LinearBackward {
  Tensor x, weight;
  Tensor y;        ///< needed with relu only
  Tensor dy;       ///< [rows, out] compute type; overwritten by g
  Tensor dx;       ///< [rows, in] compute type; empty when the input needs no gradient
  Tensor dweight;  ///< [out, in] FP32; empty when the weight is frozen
  Tensor dbias;    ///< [out] FP32; empty when there is no bias
  bool relu = false;
  bool accumulate = false;
  void validate() const;
};
MPDIST_KERNEL(linear_backward, LinearBackward);

}  // namespace mpdist::kernels
