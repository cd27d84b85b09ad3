// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "src/checkpoint/checkpoint.hpp"

namespace mpdist::checkpoint {

/// Text for people: the scalars by group (long or many-line texts by their size), then a table of tensors with shape,
/// smallest and largest element, Euclidean norm (in double) and, where there are any, the count of non-finite elements.
std::string summary(const Checkpoint& checkpoint);

}  // namespace mpdist::checkpoint
