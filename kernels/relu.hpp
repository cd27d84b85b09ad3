// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// y = max(x, 0); NaN stays NaN.
struct ReluForward {
  Tensor x, y;  ///< same shape and compute type; y may be x
  void validate() const { checks::alike("relu_forward", "x", x, "y", y); }
};
MPDIST_KERNEL(relu_forward, ReluForward);

/// dx = dy where y > 0, else 0 (y = relu(x)); NaN in dy passes where y > 0.
struct ReluBackward {
  Tensor y, dy;
  Tensor dx;  ///< may be dy
  void validate() const {
    checks::alike("relu_backward", "y", y, "dy", dy);
    checks::alike("relu_backward", "y", y, "dx", dx);
  }
};
MPDIST_KERNEL(relu_backward, ReluBackward);

}  // namespace mpdist::kernels
