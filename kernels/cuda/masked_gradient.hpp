// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::kernels::cuda {

/// What the backward pass of a layer with bias and ReLU begins with: dy = dy where y > 0, else 0 (with `y`);
/// dbias = sum of dy over its rows, in a fixed order (with `dbias`). In linear.cu.
struct MaskedGradient {
  Tensor y;                 ///< as dy; empty without ReLU
  Tensor dy;                ///< [..., channels], in place
  Tensor dbias;             ///< [channels] FP32; may be empty
  bool accumulate = false;  ///< adds to dbias

  std::size_t partial_bytes() const;  ///< of the stream's workspace
  void run(Stream& stream, void* partials) const;
};

}  // namespace mpdist::kernels::cuda
