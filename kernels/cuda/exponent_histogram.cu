// SPDX-License-Identifier: Apache-2.0
#include "kernels/exponent_histogram.hpp"

#include "kernels/cuda/segments.cuh"
#include "src/core/cuda.hpp"

namespace mpdist::kernels::cuda {

/// ExponentCounts as one array: the exponents, zero, non-finite.
inline constexpr int kExponents = ExponentCounts::kHighest - ExponentCounts::kLowest + 1;
inline constexpr int kBins = kExponents + 2;
static_assert(sizeof(ExponentCounts) == kBins * sizeof(std::int64_t));

using BinCount = unsigned long long;  // what atomicAdd takes

__device__ inline int bin_of(float value) {
  const unsigned magnitude = __float_as_uint(value) & 0x7fffffffu;
  const int field = static_cast<int>(magnitude >> 23);
  if (magnitude == 0) return kExponents;
  if (field == 255) return kExponents + 1;
  return field == 0 ? 31 - __clz(static_cast<int>(magnitude)) : field - 127 - ExponentCounts::kLowest;
}

/// Adds the elements of each tile to the counts of its segment. Each warp has counts of its own in shared memory, as
/// neighbours share exponents.
template <class T>
__global__ void __launch_bounds__(kThreads)
    exponent_histogram_kernel(const T* values, bool aligned, const SegmentTable<SegmentSpan> table, BinCount* counts) {
  constexpr int kN = kVector<T>, kWarps = kThreads / kWarp;
  __shared__ unsigned of_warp[kWarps][kBins];
  for (int i = static_cast<int>(threadIdx.x); i < kWarps * kBins; i += kThreads) of_warp[i / kBins][i % kBins] = 0;
  __syncthreads();
  const Tile tile = table.tile_of(blockIdx.x);
  unsigned* own = of_warp[threadIdx.x / kWarp];
  walk<kN, kTileRounds<kN>>(
      tile.begin, tile.end, aligned && tile.begin % kN == 0,
      [&](std::int64_t i, auto lanes) { return load(values + i, lanes); },
      [&](std::int64_t, const auto& pack, auto lanes) {
#pragma unroll
        for (int k = 0; k < lanes.count; ++k) atomicAdd(own + bin_of(pack[k]), 1u);
      });
  __syncthreads();
  for (int bin = static_cast<int>(threadIdx.x); bin < kBins; bin += kThreads) {
    unsigned sum = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) sum += of_warp[warp][bin];
    if (sum > 0) atomicAdd(counts + (table.first_segment + tile.segment) * kBins + bin, BinCount{sum});
  }
}

/// total[i] += counts[i]
template <class Count>
__global__ void __launch_bounds__(kThreads)
    add_counts_kernel(const Count* counts, std::int64_t bins, std::int64_t* total) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < bins) total[i] += static_cast<std::int64_t>(counts[i]);
}

void exponent_histogram(Stream& stream, const ExponentHistogram& a) {
  if (a.segment_count == 0) return;
  const std::int64_t bins = a.segment_count * kBins;
  const std::size_t bytes = static_cast<std::size_t>(bins) * sizeof(BinCount);
  auto* counts = static_cast<BinCount*>(stream.workspace(bytes));
  mpdist::cuda::fill_zero(counts, bytes, stream.handle());
  with_compute_type(a.values.dtype(), [&]<class T>(T) {
    const T* values = a.values.data<T>();
    for_each_table(a.segments, a.segment_count, [&](const SegmentTable<SegmentSpan>& table) {
      if (table.blocks() == 0) return;
      exponent_histogram_kernel<<<table.blocks(), kThreads, 0, handle(stream)>>>(
          values, takes_packs<kVector<T>>(values), table, counts);
      check_launch("exponent_histogram");
    });
  });
  const auto blocks = static_cast<unsigned>((bins + kThreads - 1) / kThreads);
  add_counts_kernel<<<blocks, kThreads, 0, handle(stream)>>>(counts, bins, reinterpret_cast<std::int64_t*>(a.counts));
  check_launch("exponent_histogram");
}

}  // namespace mpdist::kernels::cuda
