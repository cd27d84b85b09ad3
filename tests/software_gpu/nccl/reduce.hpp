// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nccl.h>

#include <cstddef>
#include <string>
#include <vector>

namespace software_gpu::nccl {

/// Stops the program (exit 89) for a type or operation that the software GPU does not know.
std::size_t bytes_of(ncclDataType_t type);
std::string name_of(ncclDataType_t type);
void require_known(ncclRedOp_t op);

/// out[i] = parts[0][i] op parts[1][i] ..., elements [first, first + count) of each part. As in a ring, the elements
/// are cut into one run a rank, a different rank begins each, and every step rounds to the type: not the order of a
/// tree. 16-bit types are added in FP32.
void reduce(ncclDataType_t type, ncclRedOp_t op, const std::vector<const std::byte*>& parts, std::size_t first,
            std::size_t count, std::byte* out);

}  // namespace software_gpu::nccl
