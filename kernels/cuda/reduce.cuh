// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/launch.cuh"

/// Sums in one fixed order: of the lanes of a warp, of the warps of a block, and of what blocks left in the workspace.
namespace mpdist::kernels::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

/// The sum over the lanes of a warp, 16, 8, 4, 2, 1 apart; in lane 0. All lanes call it.
template <class T>
__device__ inline T warp_sum(T a) {
#pragma unroll
  for (int apart = kWarp / 2; apart > 0; apart /= 2) a += __shfl_down_sync(kAllLanes, a, apart);
  return a;
}

/// The sum over a block of kThreads threads; in thread 0. All threads call it.
template <class T>
__device__ inline T block_sum(T a) {
  constexpr int kWarps = kThreads / kWarp;
  __shared__ T of_warp[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  a = warp_sum(a);
  if (lane == 0) of_warp[warp] = a;
  __syncthreads();
  if (warp == 0) a = warp_sum(lane < kWarps ? of_warp[lane] : T{});
  __syncthreads();  // the next call writes of_warp
  return a;
}

/// *total = the sum of `count` parts. One block.
template <class Part, class Total>
__global__ void __launch_bounds__(kThreads) total_kernel(const Part* part, std::int64_t count, Total* total) {
  Total sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) sum += part[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total = sum;
}

/// Enqueues *total = the sum of what `count` blocks of kernel `name` left in the workspace.
template <class Part, class Total>
void add_up(const Stream& stream, const char* name, const Part* part, std::int64_t count, Total* total) {
  total_kernel<<<1, kThreads, 0, handle(stream)>>>(part, count, total);
  check_launch(name);
}

}  // namespace mpdist::kernels::cuda
