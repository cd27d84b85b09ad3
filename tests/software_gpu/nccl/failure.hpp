// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace software_gpu::nccl {

/// What SOFTWARE_GPU_NCCL_FAIL=N[:rank][:direct] plants: the N-th launch of a communicator (counted from 1; a group is
/// one) fails on that rank, or on all. It returns ncclSystemError at once where `direct`; otherwise it begins, never
/// ends, and ncclCommGetAsyncError says ncclRemoteError from then on.
enum class Failure : unsigned char { none, direct, asynchronous };
Failure failure_of(int launch, int rank);

}  // namespace software_gpu::nccl
