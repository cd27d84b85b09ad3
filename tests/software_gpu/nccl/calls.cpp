// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <mutex>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/nccl/group.hpp"
#include "tests/software_gpu/nccl/reduce.hpp"

namespace software_gpu::nccl {
namespace {

/// NCCL reads and writes by the GPU: what the host allocated may be out of its reach, and pinned memory is slow.
void require_device_memory(const char* caller, const void* p) {
  const Allocation* const allocation = find_allocation(p);
  const bool on_device = allocation != nullptr ? allocation->kind == MemoryKind::device : is_device_address(p);
  if (on_device) return;
  report("not-device-memory", std::string(caller) + ": " + hexadecimal(p) +
                                  (allocation != nullptr ? " is pinned memory" : " is memory of the host"));
}

/// Every communication: what NCCL checks itself is an error that it returns, the rest is reported.
ncclResult_t communicate(const char* caller, ncclComm_t communicator, cudaStream_t stream, const Call& call) {
  const std::lock_guard lock(mutex());
  if (!is_usable(communicator, caller)) return ncclInvalidArgument;
  if (call.type < 0 || call.type >= ncclNumTypes) return ncclInvalidArgument;
  bytes_of(call.type);
  const bool needs_peer = call.is_message() || call.kind == Kind::broadcast;
  if (needs_peer && (call.peer < 0 || call.peer >= communicator->size)) return ncclInvalidArgument;
  if (call.count > 0) {
    const bool reads = call.kind != Kind::receive && (call.kind != Kind::broadcast || call.peer == communicator->rank);
    if (reads) require_device_memory(caller, call.from);
    if (call.kind != Kind::send) require_device_memory(caller, call.to);
  }
  return add(*communicator, stream, call);
}

}  // namespace
}  // namespace software_gpu::nccl

using namespace software_gpu;
using namespace software_gpu::nccl;

extern "C" {

ncclResult_t ncclSend(const void* sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return communicate("ncclSend", comm, stream,
                     {.kind = Kind::send, .from = sendbuff, .count = count, .type = datatype, .peer = peer});
}

ncclResult_t ncclRecv(void* recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return communicate("ncclRecv", comm, stream,
                     {.kind = Kind::receive, .to = recvbuff, .count = count, .type = datatype, .peer = peer});
}

ncclResult_t ncclAllReduce(const void* sendbuff, void* recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  require_known(op);
  return communicate(
      "ncclAllReduce", comm, stream,
      {.kind = Kind::all_reduce, .from = sendbuff, .to = recvbuff, .count = count, .type = datatype, .op = op});
}

ncclResult_t ncclReduceScatter(const void* sendbuff, void* recvbuff, size_t recvcount, ncclDataType_t datatype,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  require_known(op);
  return communicate(
      "ncclReduceScatter", comm, stream,
      {.kind = Kind::reduce_scatter, .from = sendbuff, .to = recvbuff, .count = recvcount, .type = datatype, .op = op});
}

ncclResult_t ncclAllGather(const void* sendbuff, void* recvbuff, size_t sendcount, ncclDataType_t datatype,
                           ncclComm_t comm, cudaStream_t stream) {
  return communicate(
      "ncclAllGather", comm, stream,
      {.kind = Kind::all_gather, .from = sendbuff, .to = recvbuff, .count = sendcount, .type = datatype});
}

ncclResult_t ncclBroadcast(const void* sendbuff, void* recvbuff, size_t count, ncclDataType_t datatype, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return communicate(
      "ncclBroadcast", comm, stream,
      {.kind = Kind::broadcast, .from = sendbuff, .to = recvbuff, .count = count, .type = datatype, .peer = root});
}

ncclResult_t ncclGroupStart() {
  return open_group();
}

ncclResult_t ncclGroupEnd() {
  const std::lock_guard lock(mutex());
  return close_group();
}

}  // extern "C"
