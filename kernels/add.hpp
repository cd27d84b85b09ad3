// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// out = left + right, formed in FP32 and rounded once: residual connections, gradients of a value that is used
/// twice, and the nodes of the reduction tree (rounded to the wire type).
struct Add {
  Tensor left, right;  ///< same shape and compute type
  Tensor out;          ///< same shape and type; may be left or right
  void validate() const {
    checks::alike("add", "left", left, "right", right);
    checks::alike("add", "left", left, "out", out);
  }
};
MPDIST_KERNEL(add, Add);

}  // namespace mpdist::kernels
