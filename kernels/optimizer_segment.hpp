// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// A run of elements of the flat arrays, one parameter, with its own learning rate factor and weight decay.
struct OptimizerSegment {
  std::int64_t offset = 0;
  std::int64_t elements = 0;
  float lr_scale = 1;
  float decay = 0;  ///< weight decay coefficient; 0 for norms and biases by default
};

}  // namespace mpdist::kernels
