// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"

namespace mpdist::optim {

/// The part of a flat array of the store that updates touch: without the frozen parameters, [trainable elements].
inline Tensor trainable(const ParameterStore& store, const Tensor& flat) {
  return flat.rows(0, store.trainable_elements());
}

}  // namespace mpdist::optim
