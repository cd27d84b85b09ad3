// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/rounding.cuh"
#include "kernels/cuda/segments.cuh"
#include "kernels/optimizer_segment.hpp"

/// What the optimizer steps share: one pass over all segments that unscales, clips, updates and rounds to the working
/// copy. Every array is read and written once, in packs of kStepPack elements: 16 bytes of FP32, 8 of a 16-bit type.
namespace mpdist::kernels::cuda {

inline constexpr int kStepPack = kVector<float>;

/// round(unscale * gradient) * clip: the product with unscale in FP64, rounded once to FP32.
__device__ inline float unscaled(float gradient, double unscale, float clip) {
  return __double2float_rn(static_cast<double>(gradient) * unscale) * clip;
}

/// Writes masters, and their saturating rounding to the working copy where there is one.
template <class Working, int N>
__device__ inline void store_masters(float* master, Working* working, const Floats<N>& value, unsigned& saturated,
                                     Lanes<N> lanes) {
  store(master, value, lanes);
  if constexpr (!std::is_same_v<Working, float>) {
    Floats<N> rounded;
#pragma unroll
    for (int k = 0; k < N; ++k) rounded[k] = saturate<Working>(value[k], saturated);
    store(working, rounded, lanes);
  }
}

/// Calls f(Wire{}, Working{}); Working is float where there is no working copy beside the master.
template <class F>
void with_optimizer_types(const Tensor& gradient, const Tensor& working, F&& f) {
  with_compute_type(gradient.dtype(), [&](auto wire) {
    with_compute_type(working ? working.dtype() : DType::fp32, [&](auto compute) { f(wire, compute); });
  });
}

template <class Working>
Working* working_or_master(const Tensor& working, const Tensor& master) {
  return working ? working.data<Working>() : static_cast<Working*>(master.raw());
}

/// Whether all arrays take packs; one that is not there does.
template <class... T>
bool take_step_packs(const T*... array) {
  return (takes_packs<kStepPack>(array) && ...);
}

/// Updates each tile; of_tile[t] = how many elements of tile t saturated. Step is a struct with
///   __device__ float rate(const OptimizerSegment&, std::int64_t place) const;      place in the caller's table
///   template <int N> __device__ void update(const OptimizerSegment&, float rate, std::int64_t i, Lanes<N>,
///                                           unsigned& saturated) const;
template <class Step>
__global__ void __launch_bounds__(kThreads)
    step_kernel(const Step step, bool aligned, const SegmentTable<OptimizerSegment> table, unsigned* of_tile) {
  const Tile tile = table.tile_of(blockIdx.x);
  const OptimizerSegment segment = table.segment[tile.segment];
  const float rate = step.rate(segment, table.first_segment + tile.segment);
  unsigned saturated = 0;
  walk<kStepPack>(tile.begin, tile.end, aligned && tile.begin % kStepPack == 0,
                  [&](std::int64_t i, auto lanes) { step.update(segment, rate, i, lanes, saturated); });
  saturated = block_sum(saturated);
  if (threadIdx.x == 0) of_tile[table.first_tile + blockIdx.x] = saturated;
}

/// Enqueues the pass over all segments. `of_tile` is scratch for tiles_of(segments); `a` has the fields that all steps
/// have.
template <class Step, class Arguments>
void run_step(const Stream& stream, const char* name, const Arguments& a, const Step& step, bool aligned,
              unsigned* of_tile) {
  for_each_table(a.segments, a.segment_count, [&](const SegmentTable<OptimizerSegment>& table) {
    if (table.blocks() == 0) return;
    step_kernel<<<table.blocks(), kThreads, 0, handle(stream)>>>(step, aligned, table, of_tile);
    check_launch(name);
  });
  add_up(stream, name, of_tile, tiles_of(a.segments, a.segment_count), a.saturated);
}

template <class Step, class Arguments>
void run_step(Stream& stream, const char* name, const Arguments& a, const Step& step, bool aligned) {
  const auto tiles = static_cast<std::size_t>(tiles_of(a.segments, a.segment_count));
  run_step(stream, name, a, step, aligned, static_cast<unsigned*>(stream.workspace(tiles * sizeof(unsigned))));
}

}  // namespace mpdist::kernels::cuda
