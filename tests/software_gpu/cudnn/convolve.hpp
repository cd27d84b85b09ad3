// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "tests/software_gpu/cudnn/engines.hpp"
#include "tests/software_gpu/cudnn/objects.hpp"

namespace software_gpu::cudnn {

using Floats = std::vector<float>;

/// The result of a convolution, [.., .., .., channels] as its operands: a tensor with cuDNN's dimensions d lies as
/// [d0, d2, d3, d1]. Sums in FP32, in a fixed order unless `arithmetic` says otherwise.
Floats convolve(const Node& node, const Floats& first, const Floats& second, const Arithmetic& arithmetic);

}  // namespace software_gpu::cudnn
