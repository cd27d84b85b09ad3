// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/optimizer.cuh"
#include "kernels/scratch.hpp"

/// Rates that follow from two norms of a segment (LARS, LAMB): a pass for the norms, then the step.
namespace mpdist::kernels::cuda {

/// Sums of squares in FP64: of the masters and of what they are compared with.
struct Squares {
  double master = 0, other = 0;
};

__device__ inline double square(float a) {
  return static_cast<double>(a) * static_cast<double>(a);
}

__device__ inline Squares block_squares(Squares of_thread) {
  return {.master = block_sum(of_thread.master), .other = block_sum(of_thread.other)};
}

/// of_tile[t] = the sums of tile t. Norms is a struct with `template <int N> __device__ void add(const
/// OptimizerSegment&, std::int64_t i, Lanes<N>, Squares&) const`, and `__device__ bool skips(const OptimizerSegment&)
/// const` where a segment needs no pass.
template <class Norms>
__global__ void __launch_bounds__(kThreads)
    norms_kernel(const Norms norms, bool aligned, const SegmentTable<OptimizerSegment> table, Squares* of_tile) {
  const Tile tile = table.tile_of(blockIdx.x);
  const OptimizerSegment segment = table.segment[tile.segment];
  if (norms.skips(segment)) return;
  Squares sums;
  walk<kStepPack>(tile.begin, tile.end, aligned && tile.begin % kStepPack == 0,
                  [&](std::int64_t i, auto lanes) { norms.add(segment, i, lanes, sums); });
  sums = block_squares(sums);
  if (threadIdx.x == 0) of_tile[table.first_tile + blockIdx.x] = sums;
}

/// rates[s] = lr * lr_scale * trust of segment s, rounded once; trust is 1 where the segment is not adapted or a norm
/// is 0, else norms.trust(segment, |master|, |other|). A block a segment.
template <class Norms>
__global__ void __launch_bounds__(kThreads) rates_kernel(const Norms norms, const SegmentTable<OptimizerSegment> table,
                                                         float lr, const Squares* of_tile, float* rates) {
  const OptimizerSegment segment = table.segment[blockIdx.x];
  double trust = 1;
  if (segment.adapted) {
    const unsigned last = table.first_block[blockIdx.x + 1];
    Squares sums;
    for (unsigned i = table.first_block[blockIdx.x] + threadIdx.x; i < last; i += kThreads) {
      sums.master += of_tile[table.first_tile + i].master;
      sums.other += of_tile[table.first_tile + i].other;
    }
    sums = block_squares(sums);
    const double master = sqrt(sums.master), other = sqrt(sums.other);
    if (master != 0 && other != 0) trust = norms.trust(segment, master, other);
  }
  if (threadIdx.x == 0) {
    const double rate = static_cast<double>(lr) * static_cast<double>(segment.lr_scale) * trust;
    rates[table.first_segment + blockIdx.x] = __double2float_rn(rate);
  }
}

/// Enqueues the pass for the norms, then the step: `step.rates` is set to the rates of the segments.
template <class Norms, class Step, class Arguments>
void run_adapted_step(Stream& stream, const char* name, const Arguments& a, const Norms& norms, Step step,
                      bool aligned) {
  const auto tiles = static_cast<std::size_t>(tiles_of(a.segments, a.segment_count));
  Scratch scratch;
  const std::size_t squares = scratch.reserve(tiles * sizeof(Squares));
  const std::size_t saturated = scratch.reserve(tiles * sizeof(unsigned));
  const std::size_t rates = scratch.reserve(static_cast<std::size_t>(a.segment_count) * sizeof(float));
  scratch.open(stream);
  auto* of_tile = static_cast<Squares*>(scratch.at(squares));
  step.rates = scratch.floats(rates);
  for_each_table(a.segments, a.segment_count, [&](const SegmentTable<OptimizerSegment>& table) {
    if (table.blocks() > 0) {
      norms_kernel<<<table.blocks(), kThreads, 0, handle(stream)>>>(norms, aligned, table, of_tile);
      check_launch(name);
    }
    rates_kernel<<<static_cast<unsigned>(table.count), kThreads, 0, handle(stream)>>>(norms, table, a.lr, of_tile,
                                                                                      scratch.floats(rates));
    check_launch(name);
  });
  run_step(stream, name, a, step, aligned, static_cast<unsigned*>(scratch.at(saturated)));
}

}  // namespace mpdist::kernels::cuda
