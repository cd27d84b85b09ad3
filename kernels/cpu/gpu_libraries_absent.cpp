// SPDX-License-Identifier: Apache-2.0
#include "kernels/gpu_libraries.hpp"

namespace mpdist::kernels {

std::vector<std::pair<std::string, std::string>> gpu_libraries() {
  return {};
}

}  // namespace mpdist::kernels
