// SPDX-License-Identifier: Apache-2.0
// Kernels with one defect each, and beside them the same without it. One block of 64 threads unless the test says more.
#include <cuda_fp16.h>

#define KERNEL extern "C" __global__ void __launch_bounds__(256)

KERNEL shared_race(float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  out[threadIdx.x] = s[63 - threadIdx.x];
}
KERNEL shared_race_mended(float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = s[63 - threadIdx.x];
}
KERNEL second_barrier_left_out(float* out) {
  __shared__ float s[64];
  float sum = 0;
  for (int k = 0; k < 3; ++k) {
    s[threadIdx.x] = static_cast<float>(k);
    __syncthreads();
    sum += s[63 - threadIdx.x];
  }
  out[threadIdx.x] = sum;
}
KERNEL second_barrier_mended(float* out) {
  __shared__ float s[64];
  float sum = 0;
  for (int k = 0; k < 3; ++k) {
    s[threadIdx.x] = static_cast<float>(k);
    __syncthreads();
    sum += s[63 - threadIdx.x];
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}
KERNEL warp_race(float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  out[threadIdx.x] = s[threadIdx.x ^ 1];
}
KERNEL warp_race_mended(float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncwarp();
  out[threadIdx.x] = s[threadIdx.x ^ 1];
}
KERNEL block_race(float* out) {
  out[threadIdx.x] += 1;
}  // by several blocks
KERNEL block_read_race(float* out) {  // block 0 writes what others read
  if (blockIdx.x == 0) out[threadIdx.x] = 2;
  out[64 + blockIdx.x * 64 + threadIdx.x] = out[threadIdx.x];
}
KERNEL thread_race(float* out) {
  out[threadIdx.x] = static_cast<float>(threadIdx.x);
  out[64 + threadIdx.x] = out[63 - threadIdx.x];
}
KERNEL thread_race_mended(float* out) {
  out[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  out[64 + threadIdx.x] = out[63 - threadIdx.x];
}
KERNEL one_address_written(int* out) {
  out[0] = static_cast<int>(threadIdx.x);
}
KERNEL one_value_written(int* out) {
  out[0] = 7;
}
KERNEL neighbouring_halves(__half* out) {
  out[blockIdx.x * 64 + threadIdx.x] = __float2half(1.0f);
}
KERNEL neighbouring_bytes(unsigned char* out) {
  out[blockIdx.x * 64 + threadIdx.x] = 1;
}

KERNEL divergent_barrier(float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = 1;
  if (threadIdx.x < 20) {
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x];
  } else {
    out[threadIdx.x] = 2;
  }
}
KERNEL other_barrier(float* out) {
  if (threadIdx.x < 32) {
    asm volatile("bar.sync 1, 64;");
  } else {
    asm volatile("bar.sync 2, 64;");
  }
  out[threadIdx.x] = 1;
}
KERNEL shuffle_of_half_a_warp(float* out) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0xFFFFFFFFu, v, 1);
  out[threadIdx.x] = v;
}
KERNEL shuffle_mended(float* out) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0x0000FFFFu, v, 1);
  out[threadIdx.x] = v;
}
KERNEL shuffle_from_absent_lane(float* out) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x % 32 < 16) v = __shfl_sync(0x0000FFFFu, v, 20);
  out[threadIdx.x] = v;
}
KERNEL vote_without_itself(unsigned* out) {
  out[threadIdx.x] = __ballot_sync(0x0000FFFFu, threadIdx.x % 2 == 0);
}

KERNEL misaligned(const float* in, float* out) {
  const float4 v = *reinterpret_cast<const float4*>(in + 1 + 4 * (threadIdx.x % 8));
  out[threadIdx.x] = v.x + v.w;
}
KERNEL copy(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x];
}
/// In place although both pointers are __restrict__: the second load may come from a cache that does not see the
/// writes.
KERNEL in_place(const float* __restrict__ in, float* __restrict__ out) {
  out[threadIdx.x] = in[threadIdx.x] + 1;
  __syncthreads();
  out[64 + threadIdx.x] = in[threadIdx.x ^ 1];
}
KERNEL uninitialised_shared(float* out) {
  __shared__ float s[64];
  if (threadIdx.x < 32) s[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}
KERNEL dynamic_shared(float* out) {
  extern __shared__ float dynamic[];
  dynamic[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = dynamic[threadIdx.x];
}
KERNEL one_past(float* out, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n) out[i] = 1;
}
KERNEL local_out_of_bounds(float* out, int far) {
  float local[8];
  for (int i = 0; i < 8; ++i) local[(i + far) & 7] = static_cast<float>(i);
  out[threadIdx.x] = local[far];
}
KERNEL endless(volatile float* out) {
  while (out[0] == 1) {
  }
}
KERNEL float_atomic(float* out) {
  atomicAdd(out, 1.0f);
}
KERNEL integer_atomic(int* out) {
  atomicAdd(out, 1);
}
KERNEL trapped(float* out) {
  if (out[threadIdx.x] != 1) __trap();
}

/// The last block to finish adds what all have written.
template <bool kFence>
__device__ void last_block(float* parts, unsigned* counter, float* out) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<float>(blockIdx.x);
    if (kFence) __threadfence();
    last = atomicAdd(counter, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
  *out = sum;
}
KERNEL last_block_sums(float* parts, unsigned* counter, float* out) {
  last_block<true>(parts, counter, out);
}
KERNEL last_block_without_fence(float* parts, unsigned* counter, float* out) {
  last_block<false>(parts, counter, out);
}
