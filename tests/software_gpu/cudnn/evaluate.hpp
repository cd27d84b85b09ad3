// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tests/software_gpu/core/operation.hpp"
#include "tests/software_gpu/cudnn/objects.hpp"

namespace software_gpu::cudnn {

/// Runs a plan, once its turn in the stream has come. Every tensor, virtual or not, holds values of its type.
void evaluate(Operation& operation, const Plan& plan, const VariantPack& pack);

}  // namespace software_gpu::cudnn
