// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/registry.hpp"

namespace mpdist::models {

/// Multi-layer perceptron: flatten, then fc1, fc2, ... with ReLU (and dropout) between them.
ModelEntry mlp_entry();

}  // namespace mpdist::models
