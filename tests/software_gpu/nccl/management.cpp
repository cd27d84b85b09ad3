// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <mutex>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/nccl/communicator.hpp"

using namespace software_gpu;
using namespace software_gpu::nccl;

namespace {

/// Asks one number of a communicator.
ncclResult_t tell(const char* caller, ncclComm_t communicator, int* answer, int ncclComm::*member) {
  const std::lock_guard lock(mutex());
  if (!is_usable(communicator, caller) || answer == nullptr) return ncclInvalidArgument;
  *answer = communicator->*member;
  return ncclSuccess;
}

/// What is under way ends first, unless it never will.
void flush(const ncclComm& communicator) {
  if (!communicator.failed) wait(communicator.last);
}

}  // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  if (version == nullptr) return ncclInvalidArgument;
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* uniqueId) {
  if (uniqueId == nullptr) return ncclInvalidArgument;
  *uniqueId = {};
  std::strncpy(uniqueId->internal, new_meeting_name().c_str(), sizeof uniqueId->internal - 1);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int nranks, ncclUniqueId commId, int rank) {
  return join(comm, nranks, commId, rank);
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int nranks, ncclUniqueId commId, int rank, ncclConfig_t* config) {
  constexpr ncclConfig_t kInitial = NCCL_CONFIG_INITIALIZER;
  if (config != nullptr) {
    if (config->magic != kInitial.magic || config->size != kInitial.size) return ncclInvalidArgument;
    if (config->blocking == 0) unsupported("ncclConfig_t::blocking = 0");
  }
  return join(comm, nranks, commId, rank);
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const std::lock_guard lock(mutex());
  if (!is_usable(comm, "ncclCommFinalize")) return ncclInvalidArgument;
  flush(*comm);
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const std::lock_guard lock(mutex());
  if (comm == nullptr) return ncclSuccess;
  if (!is_usable(comm, "ncclCommDestroy")) return ncclInvalidArgument;
  flush(*comm);
  leave(*comm);
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const std::lock_guard lock(mutex());
  if (comm == nullptr) return ncclSuccess;
  if (!is_usable(comm, "ncclCommAbort")) return ncclInvalidArgument;
  comm->aborted = true;
  leave(*comm);
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* asyncError) {
  const std::lock_guard lock(mutex());
  if (!is_usable(comm, "ncclCommGetAsyncError") || asyncError == nullptr) return ncclInvalidArgument;
  *asyncError = comm->failed ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  return tell("ncclCommCount", comm, count, &ncclComm::size);
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  return tell("ncclCommUserRank", comm, rank, &ncclComm::rank);
}

ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int* device) {
  return tell("ncclCommCuDevice", comm, device, &ncclComm::device);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "a call of CUDA failed";
    case ncclSystemError:
      return "a call of the system failed";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "a remote process is gone, or a network error";
    case ncclInProgress:
      return "in progress";
    default:
      return "unknown result code";
  }
}

const char* ncclGetLastError(ncclComm_t) {
  return "";
}

}  // extern "C"
