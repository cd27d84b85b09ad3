// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/launch_kernels.hpp"

namespace software_gpu::testing {

// Named: nvcc makes the name of an unnamed namespace from the folder that it runs in, so that a compiler cache which
// serves several folders gives host code and PTX different names.
__global__ void __launch_bounds__(kThreads) scale_kernel(float a, const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] = a * x[i];
}

__global__ void __launch_bounds__(kThreads) reverse_kernel(float* y) {
  extern __shared__ float block[];
  float* const mine = y + blockIdx.x * blockDim.x;
  block[threadIdx.x] = mine[threadIdx.x];
  __syncthreads();
  mine[threadIdx.x] = block[blockDim.x - 1 - threadIdx.x];
}

__global__ void __launch_bounds__(kThreads) look_up_kernel(Table table, float* y, int n) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) y[i] = table.values[i];
}

__global__ void __launch_bounds__(kThreads) nothing_kernel() {}

void scale(const Launch& l, float a, const float* x, float* y, int n) {
  scale_kernel<<<l.blocks, l.threads, l.dynamic_shared, l.stream>>>(a, x, y, n);
}
void reverse(const Launch& l, float* y) {
  reverse_kernel<<<l.blocks, l.threads, l.dynamic_shared, l.stream>>>(y);
}
void look_up(const Launch& l, const Table& table, float* y, int n) {
  look_up_kernel<<<l.blocks, l.threads, l.dynamic_shared, l.stream>>>(table, y, n);
}
void nothing(const Launch& l) {
  nothing_kernel<<<l.blocks, l.threads, l.dynamic_shared, l.stream>>>();
}

const void* scale_function() {
  return reinterpret_cast<const void*>(scale_kernel);
}
const void* reverse_function() {
  return reinterpret_cast<const void*>(reverse_kernel);
}

}  // namespace software_gpu::testing
