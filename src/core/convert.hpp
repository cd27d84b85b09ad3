// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "src/core/dtype.hpp"

namespace mpdist {

/// out[i] = values[i] rounded once (to nearest, ties to even) to the compute type `dtype`, as from_float does, many at
/// a time. `out` holds values.size() elements of `dtype`. Throws InvalidArgument for other types.
void round_to(std::span<const float> values, DType dtype, void* out);

}  // namespace mpdist
