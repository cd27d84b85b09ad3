// SPDX-License-Identifier: Apache-2.0
// Kernels of the shapes that a trainer has, to time the software GPU.
#include <cuda_fp16.h>

extern "C" __global__ void __launch_bounds__(256)
    adamw(float4* __restrict__ master, float4* __restrict__ m, float4* __restrict__ v, const uint2* __restrict__ grad,
          uint2* __restrict__ working, int n4, float scale, float lr, float beta1, float beta2, float eps,
          float decay) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n4; i += gridDim.x * blockDim.x) {
    const uint2 bits = grad[i];
    const float2 low = __half22float2(*reinterpret_cast<const __half2*>(&bits.x));
    const float2 high = __half22float2(*reinterpret_cast<const __half2*>(&bits.y));
    const float g[4] = {low.x * scale, low.y * scale, high.x * scale, high.y * scale};
    float4 p4 = master[i], m4 = m[i], v4 = v[i];
    float *p = &p4.x, *first = &m4.x, *second = &v4.x;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      first[k] = beta1 * first[k] + (1 - beta1) * g[k];
      second[k] = beta2 * second[k] + (1 - beta2) * g[k] * g[k];
      p[k] -= lr * (first[k] / (sqrtf(second[k]) + eps) + decay * p[k]);
    }
    master[i] = p4;
    m[i] = m4;
    v[i] = v4;
    const __half2 out[2] = {__floats2half2_rn(p4.x, p4.y), __floats2half2_rn(p4.z, p4.w)};
    working[i] = *reinterpret_cast<const uint2*>(out);
  }
}

extern "C" __global__ void __launch_bounds__(256)
    row_sums(const float* __restrict__ x, float* __restrict__ sums, int columns) {
  __shared__ float part[8];
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += x[blockIdx.x * columns + i];
  for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, o);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < 8; ++i) sum += part[i];
    sums[blockIdx.x] = sum;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    matmul(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int n) {
  __shared__ float left[16][17], right[16][17];
  const int x = threadIdx.x % 16, y = threadIdx.x / 16, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    left[y][x] = a[row * n + k + x];
    right[y][x] = b[(k + y) * n + column];
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum += left[y][i] * right[i][x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

extern "C" __global__ void __launch_bounds__(256) gelu(const __half* __restrict__ x, __half* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float v = __half2float(x[i]);
  y[i] = __float2half(0.5f * v * (1 + erff(v * 0.70710678f)) + __expf(-v * v));
}
