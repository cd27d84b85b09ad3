// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::comm {

/// NCCL at run time, "2.28.9"; empty in a build without CUDA.
std::string nccl_version();

}  // namespace mpdist::comm
