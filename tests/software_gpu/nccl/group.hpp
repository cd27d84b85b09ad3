// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tests/software_gpu/nccl/launch.hpp"

namespace software_gpu::nccl {

/// The group of the calling thread (ncclGroupStart .. ncclGroupEnd). Calls outside one are enqueued at once. Under
/// mutex().
ncclResult_t add(ncclComm& communicator, cudaStream_t stream, const Call& call);
ncclResult_t open_group();
ncclResult_t close_group();

}  // namespace software_gpu::nccl
