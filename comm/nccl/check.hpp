// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nccl.h>

namespace mpdist::comm {

/// Throws unless `code` is ncclSuccess: LibraryError where the call was wrong, else ExchangeError, with NCCL's own
/// text. `communicator` may be null.
void check_nccl(ncclResult_t code, const char* call, ncclComm_t communicator);

}  // namespace mpdist::comm

/// NCCL calls in a member of NcclCommunicator.
#define MPDIST_NCCL(call) ::mpdist::comm::check_nccl((call), #call, comm_)
