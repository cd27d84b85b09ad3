// SPDX-License-Identifier: Apache-2.0
// Sound kernels as nvcc writes them: library functions, divergence, calls, switches, local arrays, all kinds of memory.
#include "tests/software_gpu/tests/ptx_programs.hpp"

namespace software_gpu::testing {

#define KERNEL extern "C" __global__ void __launch_bounds__(1024)

KERNEL float_functions(const float* in, float* out) {
  const float x = in[threadIdx.x];
  for (int i = 0; i < kFloatFunctions; ++i) out[i * blockDim.x + threadIdx.x] = float_function(i, x);
}
KERNEL double_functions(const double* in, double* out) {
  const double x = in[threadIdx.x];
  for (int i = 0; i < kDoubleFunctions; ++i) out[i * blockDim.x + threadIdx.x] = double_function(i, x);
}
KERNEL integers(const long long* a, const int* b, const unsigned* c, long long* out) {
  out[threadIdx.x] = integer_mixture(a[threadIdx.x], b[threadIdx.x], c[threadIdx.x]);
}
KERNEL collatz_steps(int* out) {
  out[threadIdx.x] = collatz(threadIdx.x + 1);
}
KERNEL calls(double* out) {
  out[threadIdx.x] = through_calls(threadIdx.x);
}
KERNEL switches(int* out) {
  out[threadIdx.x] = switched(threadIdx.x % 9, threadIdx.x);
}

KERNEL block_sum(const float* in, float* out, int n) {
  __shared__ float part[32];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  for (int o = 16; o > 0; o /= 2) sum += __shfl_down_sync(0xFFFFFFFFu, sum, o);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < (blockDim.x + 31) / 32 ? part[threadIdx.x] : 0;
    for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, o);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
  }
}

/// Rows given by pointers in the parameters themselves.
KERNEL rows(const __grid_constant__ Tables tables, float* out) {
  for (int i = threadIdx.x; i < tables.counts[blockIdx.x]; i += blockDim.x) {
    out[blockIdx.x * 64 + i] = tables.rows[blockIdx.x][i];
  }
}

__constant__ float factors[4] = {1, 2, 3, 4};
__device__ int counter = 10;

KERNEL variables(float* out, int* left) {
  out[threadIdx.x] = factors[threadIdx.x % 4];
  atomicAdd(&counter, 1);
  __syncthreads();
  if (threadIdx.x == 0) *left = counter;
}

/// Sorts 64 numbers in shared memory.
KERNEL bitonic_sort(int* values) {
  __shared__ int s[64];
  const int i = threadIdx.x;
  s[i] = values[i];
  for (int size = 2; size <= 64; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      __syncthreads();
      const int other = i ^ step;
      if (other > i && (s[i] > s[other]) == ((i & size) == 0)) {
        const int t = s[i];
        s[i] = s[other];
        s[other] = t;
      }
    }
  }
  __syncthreads();
  values[i] = s[i];
}

/// The same address space by generic pointers: shared, local and global memory in one function.
__device__ __noinline__ float sum_of(const float* p, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += p[i];
  return sum;
}
KERNEL generic_pointers(const float* in, float* out, int n) {
  __shared__ float s[4];
  float local[4];
  for (int i = 0; i < 4; ++i) local[(i + n) % 4] = in[i] * 2;
  if (threadIdx.x < 4) s[threadIdx.x] = in[threadIdx.x] * 3;
  __syncthreads();
  const float* p = threadIdx.x % 3 == 0 ? in : threadIdx.x % 3 == 1 ? s : local;
  out[threadIdx.x] = sum_of(p, n);
}

KERNEL votes(const int* in, unsigned* out) {
  const int x = in[threadIdx.x];
  const unsigned all = 0xFFFFFFFFu;
  int same = 0;
  unsigned* o = out + threadIdx.x * 8;
  o[0] = __ballot_sync(all, x > 3);
  o[1] = __any_sync(all, x > 100) + 2 * __all_sync(all, x < 100);
  o[2] = __match_any_sync(all, x);
  o[3] = __match_all_sync(all, x, &same) + same;
  o[4] = static_cast<unsigned>(__reduce_add_sync(all, x) + __reduce_max_sync(all, x));
  o[5] = static_cast<unsigned>(__syncthreads_count(x > 3));
  o[6] = static_cast<unsigned>(__syncthreads_or(x == 5) + 2 * __syncthreads_and(x < 100));
  o[7] = __shfl_up_sync(all, static_cast<unsigned>(x), 3, 8) + __shfl_sync(all, static_cast<unsigned>(x), 5, 16);
}

}  // namespace software_gpu::testing
