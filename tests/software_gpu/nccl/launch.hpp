// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "tests/software_gpu/nccl/communicator.hpp"

namespace software_gpu::nccl {

enum class Kind : unsigned char { send, receive, all_reduce, all_gather, broadcast, reduce_scatter };

/// One call of the program, as it was made.
struct Call {
  Kind kind = Kind::send;
  const void* from = nullptr;
  void* to = nullptr;
  std::size_t count = 0;  ///< as the function counts: elements that each rank sends, or receives (ReduceScatter)
  ncclDataType_t type = ncclInt8;
  ncclRedOp_t op = ncclSum;
  int peer = -1;  ///< of a message, or the root

  bool is_message() const { return kind == Kind::send || kind == Kind::receive; }
  std::string name() const;  ///< "ncclSend to 1"
};

/// What goes to a stream at once: one call, or those of a group.
struct Launch {
  ncclComm* communicator = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Call> calls{};
};

/// Puts two operations into the stream. The first shows what this rank sends and says what it waits for; the second
/// runs once all that it needs is there, and, as of a GPU that has no room for messages, once every message that it
/// sends is waited for. Under mutex().
ncclResult_t enqueue(Launch launch);

}  // namespace software_gpu::nccl
