// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <driver_types.h>

namespace software_gpu {

/// The error that every call returns from now on, as after a fault on a GPU; cudaSuccess while all is well. The first
/// one stays.
cudaError_t context_error();
void fail_context(cudaError_t error);

/// The first use of a device by this process: claims it, and reports (device-shared) when another living process of the
/// same job has claimed it already. Later uses cost nothing.
void use_device(int device);

}  // namespace software_gpu
