// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/group.hpp"

#include <algorithm>
#include <utility>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu::nccl {
namespace {

thread_local int depth = 0;
thread_local std::vector<Launch> launches;  // of the open group, one a communicator

}  // namespace

ncclResult_t add(ncclComm& communicator, cudaStream_t stream, const Call& call) {
  if (depth == 0) return enqueue({&communicator, stream, {call}});
  auto launch =
      std::find_if(launches.begin(), launches.end(), [&](const Launch& l) { return l.communicator == &communicator; });
  if (launch == launches.end()) launch = launches.insert(launches.end(), {&communicator, stream});
  if (launch->stream != stream) unsupported("several streams of one communicator in a group of NCCL calls");
  launch->calls.push_back(call);
  return ncclSuccess;
}

ncclResult_t open_group() {
  ++depth;
  return ncclSuccess;
}

ncclResult_t close_group() {
  if (depth == 0) return ncclInvalidUsage;
  if (--depth > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  for (Launch& launch : std::exchange(launches, {})) {
    const ncclResult_t one = enqueue(std::move(launch));
    if (one != ncclSuccess) result = one;
  }
  return result;
}

}  // namespace software_gpu::nccl
