// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/walk.cuh"

namespace mpdist::kernels::cuda {

/// Elements of a tile, the share of one block: a constant, as the partial sums of a segment are those of its tiles.
inline constexpr std::int64_t kTile = 4096;

constexpr std::int64_t tiles_of(std::int64_t elements) {
  return (elements + kTile - 1) / kTile;
}

/// The rounds of packs that one tile gives each thread: all of them are in flight.
template <int N>
inline constexpr int kTileRounds = static_cast<int>(kTile / (kThreads * N));

/// A tile: elements [begin, end) of the flat arrays, in entry `segment` of the table.
struct Tile {
  int segment;
  std::int64_t begin, end;
};

/// Segments of flat arrays by value, as a kernel's parameter (of which there may be 4 KB). Segment has `offset` and
/// `elements`. Block b of the kernel works on tile_of(b).
template <class Segment>
struct SegmentTable {
  static constexpr int kCapacity = static_cast<int>((4096 - 256) / (sizeof(Segment) + sizeof(unsigned))) - 1;

  Segment segment[kCapacity];
  unsigned first_block[kCapacity + 1];  ///< of each segment; [count] is the number of blocks
  int count = 0;
  std::int64_t first_segment = 0;  ///< place of entry 0 in the caller's table
  std::int64_t first_tile = 0;     ///< tiles in the tables before this one

  unsigned blocks() const { return first_block[count]; }

  __device__ Tile tile_of(unsigned block) const {
    int low = 0, high = count;  // first_block[low] <= block < first_block[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_block[middle] <= block ? low : high) = middle;
    }
    const std::int64_t begin = segment[low].offset + (block - first_block[low]) * kTile;
    const std::int64_t beyond = segment[low].offset + segment[low].elements;
    return {low, begin, begin + kTile < beyond ? begin + kTile : beyond};
  }
};

/// Tiles of all segments.
template <class Segment>
std::int64_t tiles_of(const Segment* segments, std::int64_t count) {
  std::int64_t tiles = 0;
  for (std::int64_t s = 0; s < count; ++s) tiles += tiles_of(segments[s].elements);
  return tiles;
}

/// Calls launch(table) for the segments, as many at a time as a table holds.
template <class Segment, class Launch>
void for_each_table(const Segment* segments, std::int64_t count, Launch launch) {
  SegmentTable<Segment> table;
  for (std::int64_t s = 0; s < count; s += table.count) {
    table.first_segment = s;
    table.count = static_cast<int>(std::min<std::int64_t>(count - s, SegmentTable<Segment>::kCapacity));
    table.first_block[0] = 0;
    for (int i = 0; i < table.count; ++i) {
      table.segment[i] = segments[s + i];
      table.first_block[i + 1] = table.first_block[i] + static_cast<unsigned>(tiles_of(segments[s + i].elements));
    }
    launch(table);
    table.first_tile += table.blocks();
  }
}

}  // namespace mpdist::kernels::cuda
