// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace mpdist::kernels {

/// The libraries behind the kernels of a GPU, name and version at run time: {"cuDNN", "9.13.1"}. Results differ in
/// their last bits between versions. Empty in a build without CUDA.
std::vector<std::pair<std::string, std::string>> gpu_libraries();

}  // namespace mpdist::kernels
