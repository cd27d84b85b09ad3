// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nccl.h>

#include <array>
#include <cstdint>
#include <string>

#include "tests/software_gpu/core/operation.hpp"
#include "tests/software_gpu/nccl/meeting.hpp"

/// What the program's ncclComm_t points to. Lives for ever, so that one that was destroyed is known as such.
struct ncclComm {
  int rank = 0, size = 0;
  int device = 0;    ///< as the program numbers them
  std::string name;  ///< of the meeting
  software_gpu::nccl::Mapping mapping;
  bool destroyed = false;
  bool aborted = false;
  bool failed = false;  ///< ncclRemoteError; what is under way never ends
  int launches = 0;
  std::uint64_t collectives = 0;
  std::array<std::uint64_t, software_gpu::nccl::kMostRanks> sends{}, receives{};  ///< by peer
  software_gpu::OperationPtr last;

  software_gpu::nccl::Meeting& meeting() const {
    return *reinterpret_cast<software_gpu::nccl::Meeting*>(mapping.data());
  }
};

namespace software_gpu::nccl {

/// Joins the ranks that come with the same id; returns when all are there.
ncclResult_t join(ncclComm_t* communicator, int size, const ncclUniqueId& id, int rank);

/// Whether the handle may be used; reports (invalid-handle, destroyed-communicator) when not. Under mutex().
bool is_usable(const ncclComm* communicator, const char* caller);

/// Ends its life. Under mutex().
void leave(ncclComm& communicator);

}  // namespace software_gpu::nccl
