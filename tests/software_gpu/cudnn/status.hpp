// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cudnn_graph.h>

#include <string>

namespace software_gpu::cudnn {

/// Refuses a call: keeps `why` for cudnnGetLastErrorString, says it on stderr (NOT_SUPPORTED: with SOFTWARE_GPU_TRACE
/// only), and returns the status.
cudnnStatus_t fail(cudnnStatus_t status, const std::string& why);

/// Whether the handle was created and not destroyed.
bool is_live(cudnnHandle_t handle);
cudaStream_t stream_of(cudnnHandle_t handle);

}  // namespace software_gpu::cudnn
