// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/launch.cuh"

namespace mpdist::kernels::cuda {

/// A grid with one thread for each item of `rows` rows of `items` items: a block is as many items wide as a row needs,
/// and has the rest of its threads in further rows, so that no thread divides to find its row.
struct RowBlocks {
  std::int64_t rows, items;
  unsigned width = 1;        ///< threads of a block along a row, a power of two
  unsigned blocks_wide = 1;  ///< blocks along a row

  RowBlocks(std::int64_t row_count, std::int64_t item_count) : rows(row_count), items(item_count) {
    while (width < kThreads && width < items) width *= 2;
    blocks_wide = static_cast<unsigned>((items + width - 1) / width);
  }
  unsigned blocks() const {
    const std::int64_t height = kThreads / width;
    return static_cast<unsigned>((rows + height - 1) / height) * blocks_wide;
  }
  dim3 threads() const { return dim3(width, kThreads / width); }
};

/// Calls body(row, item) in the thread of that item.
template <class Body>
__device__ inline void for_item(const RowBlocks& grid, Body body) {
  const unsigned high = blockIdx.x / grid.blocks_wide, along = blockIdx.x - high * grid.blocks_wide;
  const std::int64_t row = std::int64_t{high} * blockDim.y + threadIdx.y;
  const std::int64_t item = std::int64_t{along} * blockDim.x + threadIdx.x;
  if (row < grid.rows && item < grid.items) body(row, item);
}

}  // namespace mpdist::kernels::cuda
