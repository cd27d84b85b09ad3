// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/registry.hpp"

namespace mpdist::models {

/// VGG-11, 13, 16 and 19 (Simonyan & Zisserman 2015, table 1: configurations A, B, D, E), with batch norm or without.
/// Five stages of 3x3 convolutions with 64, 128, 256, 512 and 512 channels, each ending in 2x2 max pooling; a map of
/// one pixel is not pooled any more, so 28x28 images fit too. Then the published classifier (two hidden layers of 4096
/// with dropout, section 2.1), or, on images below 64x64, whose last map is 1x1, one linear layer.
ModelEntry vgg_entry();

}  // namespace mpdist::models
