// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/launch.cuh"

namespace mpdist::kernels::cuda {

/// A grid over `rows` rows of `items` items each, whose threads find their row without a division: a block is as many
/// items wide as a row needs, and has the rest of its threads in further rows.
struct RowBlocks {
  dim3 blocks, threads;
  RowBlocks(std::int64_t rows, std::int64_t items) {
    unsigned width = 1;
    while (width < kThreads && width < items) width *= 2;
    threads = dim3(width, kThreads / width);
    const auto cover = [](std::int64_t extent, unsigned part) { return (extent + part - 1) / part; };
    constexpr std::int64_t kMostX = 0x7fffffff, kMostY = 0xffff;
    blocks = dim3(static_cast<unsigned>(std::clamp<std::int64_t>(cover(rows, threads.y), 1, kMostX)),
                  static_cast<unsigned>(std::clamp<std::int64_t>(cover(items, threads.x), 1, kMostY)));
  }
};

/// Calls body(row, item) once for each item, in a kernel launched with RowBlocks(rows, items).
template <class Body>
__device__ inline void for_each_item(std::int64_t rows, std::int64_t items, Body body) {
  const std::int64_t row_step = std::int64_t{gridDim.x} * blockDim.y, item_step = std::int64_t{gridDim.y} * blockDim.x;
  for (std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y; row < rows; row += row_step) {
    for (std::int64_t item = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x; item < items; item += item_step)
      body(row, item);
  }
}

}  // namespace mpdist::kernels::cuda
