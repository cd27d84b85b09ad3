// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/nccl_communicator.hpp"
#include "comm/nccl/version.hpp"

namespace mpdist::comm {

std::unique_ptr<Communicator> make_nccl(Communicator&, const NcclOptions&) {
  throw Unsupported("communicator nccl: this build runs on the CPU only");
}

std::string nccl_version() {
  return {};
}

}  // namespace mpdist::comm
