// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/registry.hpp"

namespace mpdist::models {

/// A network written in the config as [[model.layers]], one after the other; the last must leave one value per class.
/// What the layers are: layer_kinds() of src/models/layer.hpp. A ReLU behind a convolution, a batch norm or a linear
/// layer without activation becomes part of it.
ModelEntry sequential_entry();

}  // namespace mpdist::models
