// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/registry.hpp"

namespace mpdist::models {

/// Small convolutional network: stages of 3x3 convolution, ReLU and 2x2 max pooling, then one hidden layer with
/// dropout.
ModelEntry cnn_entry();

}  // namespace mpdist::models
