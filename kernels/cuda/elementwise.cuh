// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/walk.cuh"

namespace mpdist::kernels::cuda {

/// What one thread has loaded: N values of each input.
template <int N, int kInputs>
struct Operands {
  Floats<N> of[kInputs];
};

/// Elements that a block of an element-wise kernel walks: one round of packs in flight.
template <int kInputs, class... T>
inline constexpr int kElementwiseTile = kThreads* kVector<T...>*(kInputs == 1 ? 4 : 2);

/// out[i] = round(f(in_0[i], in_1[i], ..., count)), computed in FP32; of_block[b] = what the threads of block b
/// counted.
template <class Out, class F, class... In>
__global__ void __launch_bounds__(kThreads)
    elementwise_kernel(Out* out, std::int64_t elements, bool aligned, F f, unsigned* of_block, const In*... in) {
  constexpr int kInputs = sizeof...(In), kN = kVector<Out, In...>;
  constexpr std::int64_t kTile = kElementwiseTile<kInputs, Out, In...>;
  const std::int64_t begin = blockIdx.x * kTile, end = begin + kTile < elements ? begin + kTile : elements;
  unsigned count = 0;
  walk<kN, static_cast<int>(kTile / (kThreads * kN))>(
      begin, end, aligned,
      [&](std::int64_t i, auto lanes) { return Operands<lanes.count, kInputs>{{load(in + i, lanes)...}}; },
      [&](std::int64_t i, const auto& operands, auto lanes) {
        Floats<lanes.count> result;
#pragma unroll
        for (int k = 0; k < lanes.count; ++k) {
          if constexpr (kInputs == 1) {
            result[k] = f(operands.of[0][k], count);
          } else {
            result[k] = f(operands.of[0][k], operands.of[1][k], count);
          }
        }
        store(out + i, result, lanes);
      });
  if constexpr (F::kCounts) {
    count = block_sum(count);
    if (threadIdx.x == 0) of_block[blockIdx.x] = count;
  }
}

/// out = f(in...) for arrays of `elements`, one or two inputs of any compute types; an input may be `out` where their
/// types are equal. F is a struct with `__device__ float operator()(float..., unsigned& count) const` and
/// `static constexpr bool kCounts`; where it counts, *total (which may be null) receives the sum of all counts.
template <class F, class Out, class... In>
void elementwise(Stream& stream, const char* name, std::int64_t elements, F f, std::int64_t* total, Out* out,
                 const In*... in) {
  constexpr int kN = kVector<Out, In...>;
  constexpr std::int64_t kTile = kElementwiseTile<sizeof...(In), Out, In...>;
  const std::int64_t blocks = (elements + kTile - 1) / kTile;
  unsigned* of_block = nullptr;
  if constexpr (F::kCounts) of_block = static_cast<unsigned*>(stream.workspace(blocks * sizeof(unsigned)));
  if (blocks > 0) {
    const bool aligned = takes_packs<kN>(out) && (takes_packs<kN>(in) && ...);
    elementwise_kernel<Out, F, In...>
        <<<static_cast<unsigned>(blocks), kThreads, 0, handle(stream)>>>(out, elements, aligned, f, of_block, in...);
    check_launch(name);
  }
  if constexpr (F::kCounts) {
    if (total) add_up(stream, name, of_block, blocks, total);
  }
}

}  // namespace mpdist::kernels::cuda
