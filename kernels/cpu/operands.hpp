// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/tensor.hpp"

namespace mpdist::kernels {

/// Throws InvalidArgument unless `tensor` has this shape, type and memory.
inline void require_operand(const char* kernel, const char* name, const Tensor& tensor, const Shape& shape,
                            DType type) {
  require(tensor.shape() == shape && tensor.dtype() == type && tensor.raw(), "{}: {} {} {} expected, found {} {}",
          kernel, name, name_of(type), shape.to_string(), name_of(tensor.dtype()), tensor.shape().to_string());
}

}  // namespace mpdist::kernels
