// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/version.hpp"

#include <fmt/format.h>

#include "comm/nccl/check.hpp"

namespace mpdist::comm {

/// The number is NCCL_VERSION's of 2.9 and later: major * 10000 + minor * 100 + patch.
std::string nccl_version() {
  int version = 0;
  check_nccl(ncclGetVersion(&version), "ncclGetVersion", nullptr);
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace mpdist::comm
