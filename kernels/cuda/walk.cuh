// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.cuh"

namespace mpdist::kernels::cuda {

/// Walks the elements [begin, end) of flat arrays with all threads of a block: thread t takes packs t, t + kThreads,
/// ... of N elements, so that a sum has the same order whether or not the arrays are `aligned` to packs (begin too).
/// Calls `loaded = load(i, lanes)` and `use(i, loaded, lanes)`, where lanes is Lanes<N> for a pack and Lanes<1> for one
/// element; kInFlight packs are loaded before the first of them is used.
template <int N, int kInFlight, class Load, class Use>
__device__ inline void walk(std::int64_t begin, std::int64_t end, bool aligned, Load load, Use use) {
  constexpr std::int64_t kStride = std::int64_t{kThreads} * N;
  std::int64_t i = begin + static_cast<std::int64_t>(threadIdx.x) * N;
  if (aligned) {
    for (; i + (kInFlight - 1) * kStride + N <= end; i += kInFlight * kStride) {
      decltype(load(i, Lanes<N>{})) loaded[kInFlight];
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) loaded[k] = load(i + k * kStride, Lanes<N>{});
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) use(i + k * kStride, loaded[k], Lanes<N>{});
    }
    if constexpr (kInFlight > 1) {
#pragma unroll 1
      for (; i + N <= end; i += kStride) use(i, load(i, Lanes<N>{}), Lanes<N>{});
    }
  }
#pragma unroll 1
  for (; i < end; i += kStride) {
    const std::int64_t last = i + N < end ? i + N : end;
#pragma unroll 1
    for (std::int64_t k = i; k < last; ++k) use(k, load(k, Lanes<1>{}), Lanes<1>{});
  }
}

struct Nothing {};

/// The same with body(i, lanes), which loads for itself.
template <int N, class Body>
__device__ inline void walk(std::int64_t begin, std::int64_t end, bool aligned, Body body) {
  walk<N, 1>(
      begin, end, aligned, [](std::int64_t, auto) { return Nothing{}; },
      [&](std::int64_t i, Nothing, auto lanes) { body(i, lanes); });
}

}  // namespace mpdist::kernels::cuda
