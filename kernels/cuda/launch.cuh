// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "src/core/error.hpp"
#include "src/core/stream.hpp"

namespace mpdist::kernels::cuda {

/// Threads of a block, for every kernel that has no reason for another number.
inline constexpr int kThreads = 256;
/// Most blocks of a kernel that walks a flat array in strides: enough to fill the largest GPU several times over; a
/// constant, so that sums have the same order on every device.
inline constexpr std::int64_t kMaxBlocks = 2048;

/// cudaStream_t of a stream.
inline cudaStream_t handle(const Stream& stream) {
  return static_cast<cudaStream_t>(stream.handle());
}

/// Blocks for `items` at `per_block` each, at least 1.
inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>(std::clamp<std::int64_t>((items + per_block - 1) / per_block, 1, kMaxBlocks));
}

/// After each launch: a wrong configuration is an error here, not at some later call.
inline void check_launch(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw LibraryError("CUDA", kernel, cudaGetErrorString(error));
}

}  // namespace mpdist::kernels::cuda
