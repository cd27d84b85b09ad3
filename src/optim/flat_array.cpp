// SPDX-License-Identifier: Apache-2.0
#include "src/optim/flat_array.hpp"

#include <cstring>

namespace mpdist::optim {

Tensor zeros_like(const Tensor& like, MemoryKind kind) {
  Tensor zeros(like.shape(), DType::fp32, kind);
  std::memset(zeros.raw(), 0, zeros.bytes());
  return zeros;
}

Tensor working_copy(const ParameterStore& store) {
  return store.compute_type() == DType::fp32 ? Tensor() : store.working();
}

}  // namespace mpdist::optim
