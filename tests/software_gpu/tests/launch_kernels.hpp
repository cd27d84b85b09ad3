// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_runtime_api.h>

namespace software_gpu::testing {

inline constexpr int kThreads = 128;  ///< launch bounds of all kernels here
struct Table {
  float values[1000];
};

/// How a test launches: `threads` may exceed the launch bounds, to see what happens.
struct Launch {
  unsigned blocks = 1, threads = kThreads;
  std::size_t dynamic_shared = 0;
  cudaStream_t stream = nullptr;
};

/// y[i] = a*x[i]
void scale(const Launch& launch, float a, const float* x, float* y, int n);
/// Reverses each block's `threads` elements of y, through dynamic shared memory.
void reverse(const Launch& launch, float* y);
/// y[i] = table.values[i], a parameter of 4000 bytes
void look_up(const Launch& launch, const Table& table, float* y, int n);
/// Does nothing, without parameters.
void nothing(const Launch& launch);

/// Host functions of the kernels, for cudaFunc* calls.
const void* scale_function();
const void* reverse_function();

}  // namespace software_gpu::testing
