// SPDX-License-Identifier: Apache-2.0
#include "src/optim/flat_array.hpp"

#include <cstring>

namespace mpdist::optim {

Tensor new_slot(const ParameterStore& store) {
  Tensor zeros({store.trainable_elements()}, DType::fp32, MemoryKind::optimizer);
  std::memset(zeros.raw(), 0, zeros.bytes());
  return zeros;
}

Tensor trainable_masters(const ParameterStore& store) {
  return store.master().rows(0, store.trainable_elements());
}

Tensor working_copy(const ParameterStore& store) {
  return store.compute_type() == DType::fp32 ? Tensor() : store.working().rows(0, store.trainable_elements());
}

}  // namespace mpdist::optim
