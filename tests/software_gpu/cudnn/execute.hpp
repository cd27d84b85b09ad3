// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <driver_types.h>

#include "tests/software_gpu/cudnn/objects.hpp"
#include "tests/software_gpu/cudnn/status.hpp"

namespace software_gpu::cudnn {

/// What can be checked before the stream gets there: bound tensors, alignment, workspace, overlap.
cudnnStatus_t check_call(const Plan& plan, const VariantPack& pack);
void launch(cudaStream_t stream, const Plan& plan, const VariantPack& pack);

}  // namespace software_gpu::cudnn
