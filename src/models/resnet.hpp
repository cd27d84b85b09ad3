// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/registry.hpp"

namespace mpdist::models {

/// Residual networks (He et al. 2016), post-activation. Depth 20, 32, 44, 56 or 110 is the CIFAR form (section 4.2): a
/// 3x3 stem, three stages of (depth-2)/6 basic blocks with `width`, 2 and 4 times `width` channels. Depth 18, 34, 50 or
/// 101 is the ImageNet form (table 1): a 7x7 stem with stride 2 and 3x3 max pooling, four stages from 64 channels; 50
/// and 101 with bottlenecks, whose stride lies in the 3x3 convolution. Shortcuts that change shape are 1x1 convolutions
/// with batch norm (option B). Convolutions have no bias.
ModelEntry resnet_entry();

}  // namespace mpdist::models
