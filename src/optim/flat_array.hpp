// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"

/// The parts of a store's flat arrays that an optimizer sees: without the frozen parameters, [trainable elements].
namespace mpdist::optim {

/// FP32 zeros: a slot.
Tensor new_slot(const ParameterStore& store);

Tensor trainable_masters(const ParameterStore& store);

/// The working copy that an optimizer kernel writes: empty with FP32 compute, where it is the master.
Tensor working_copy(const ParameterStore& store);

}  // namespace mpdist::optim
