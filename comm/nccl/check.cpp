// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/check.hpp"

#include <string>
#include <string_view>

#include "comm/communicator.hpp"

namespace mpdist::comm {

void check_nccl(ncclResult_t code, const char* call, ncclComm_t communicator) {
  if (code == ncclSuccess) return;
  const std::string_view whole(call);
  const std::string_view name = whole.substr(0, whole.find('('));
  std::string text = ncclGetErrorString(code);
  if (const char* last = ncclGetLastError(communicator); last != nullptr && *last != '\0') {
    text += fmt::format(" ({})", last);
  }
  if (code == ncclInvalidArgument || code == ncclInvalidUsage) throw LibraryError("NCCL", name, text);
  throw ExchangeError(fmt::format("NCCL: {} failed: {}", name, text));
}

}  // namespace mpdist::comm
