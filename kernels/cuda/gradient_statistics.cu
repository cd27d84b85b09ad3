// SPDX-License-Identifier: Apache-2.0
#include "kernels/gradient_statistics.hpp"

#include "kernels/cuda/segments.cuh"
#include "kernels/digest.hpp"

namespace mpdist::kernels::cuda {

__device__ inline std::uint64_t bits_of(float a) {
  return __float_as_uint(a);
}
template <class T>
__device__ inline std::uint64_t bits_of(T a) {
  return a.bits;
}

/// The sums over a block, in thread 0.
__device__ inline TensorStatistics block_statistics(TensorStatistics of_thread) {
  return {.sum_squares = block_sum(of_thread.sum_squares),
          .nonfinite = block_sum(of_thread.nonfinite),
          .digest = block_sum(of_thread.digest)};
}

/// of_tile[t] = the statistics of tile t.
template <class T>
__global__ void __launch_bounds__(kThreads)
    tile_statistics_kernel(const T* gradient, bool aligned, const SegmentTable<SegmentSpan> table,
                           TensorStatistics* of_tile) {
  constexpr int kN = kVector<T>;
  const Tile tile = table.tile_of(blockIdx.x);
  TensorStatistics sum;
  walk<kN, kTileRounds<kN>>(
      tile.begin, tile.end, aligned && tile.begin % kN == 0,
      [&](std::int64_t i, auto lanes) { return Pack<T, lanes.count>::read(gradient + i); },
      [&](std::int64_t i, const auto& pack, auto lanes) {
#pragma unroll
        for (int k = 0; k < lanes.count; ++k) {
          const float value = widen(pack.element[k]);
          const bool finite = fabsf(value) <= 0x1.fffffep127F;
          const double wide = static_cast<double>(finite ? value : 0.0F);
          sum.sum_squares += wide * wide;
          sum.nonfinite += !finite;
          sum.digest += mix(bits_of(pack.element[k]), static_cast<std::uint64_t>(i + k));
        }
      });
  sum = block_statistics(sum);
  if (threadIdx.x == 0) of_tile[table.first_tile + blockIdx.x] = sum;
}

/// statistics[s] = the sum over the tiles of segment s. A block a segment.
__global__ void __launch_bounds__(kThreads)
    segment_statistics_kernel(const SegmentTable<SegmentSpan> table, const TensorStatistics* of_tile,
                              TensorStatistics* statistics) {
  const unsigned last = table.first_block[blockIdx.x + 1];
  TensorStatistics sum;
  for (unsigned i = table.first_block[blockIdx.x] + threadIdx.x; i < last; i += kThreads) {
    const TensorStatistics part = of_tile[table.first_tile + i];
    sum.sum_squares += part.sum_squares;
    sum.nonfinite += part.nonfinite;
    sum.digest += part.digest;
  }
  sum = block_statistics(sum);
  if (threadIdx.x == 0) statistics[table.first_segment + blockIdx.x] = sum;
}

void gradient_statistics(Stream& stream, const GradientStatistics& a) {
  const auto tiles = static_cast<std::size_t>(tiles_of(a.segments, a.segment_count));
  auto* of_tile = static_cast<TensorStatistics*>(stream.workspace(tiles * sizeof(TensorStatistics)));
  with_compute_type(a.gradient.dtype(), [&]<class T>(T) {
    const T* gradient = a.gradient.data<T>();
    for_each_table(a.segments, a.segment_count, [&](const SegmentTable<SegmentSpan>& table) {
      if (table.blocks() > 0) {
        tile_statistics_kernel<<<table.blocks(), kThreads, 0, handle(stream)>>>(
            gradient, takes_packs<kVector<T>>(gradient), table, of_tile);
        check_launch("gradient_statistics");
      }
      segment_statistics_kernel<<<static_cast<unsigned>(table.count), kThreads, 0, handle(stream)>>>(table, of_tile,
                                                                                                     a.statistics);
      check_launch("gradient_statistics");
    });
  });
}

}  // namespace mpdist::kernels::cuda
