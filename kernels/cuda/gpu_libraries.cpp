// SPDX-License-Identifier: Apache-2.0
#include "kernels/gpu_libraries.hpp"

#include <cublasLt.h>
#include <cudnn.h>

#include <fmt/format.h>

namespace mpdist::kernels {
namespace {

/// Of a number made as CUBLAS_VERSION and CUDNN_VERSION are: major * 10000 + minor * 100 + patch.
std::string version_text(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> gpu_libraries() {
  return {{"cuBLASLt", version_text(cublasLtGetVersion())}, {"cuDNN", version_text(cudnnGetVersion())}};
}

}  // namespace mpdist::kernels
