// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"

namespace mpdist::optim {

/// FP32 zeros of the shape of `like`.
Tensor zeros_like(const Tensor& like, MemoryKind kind);

/// The working copy that an optimizer kernel writes: empty with FP32 compute, where it is the master.
Tensor working_copy(const ParameterStore& store);

}  // namespace mpdist::optim
