// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// y = x * Phi(x), Phi the normal distribution function: x/2 * (1 + erf(x/sqrt(2))) (Hendrycks & Gimpel 2016), in FP32.
struct GeluForward {
  Tensor x, y;  ///< same shape and compute type; y may be x
  void validate() const { checks::alike("gelu_forward", "x", x, "y", y); }
};
MPDIST_KERNEL(gelu_forward, GeluForward);

/// dx = dy * (Phi(x) + x * phi(x)).
struct GeluBackward {
  Tensor x, dy;
  Tensor dx;  ///< may be dy
  void validate() const {
    checks::alike("gelu_backward", "x", x, "dy", dy);
    checks::alike("gelu_backward", "x", x, "dx", dx);
  }
};
MPDIST_KERNEL(gelu_backward, GeluBackward);

}  // namespace mpdist::kernels
