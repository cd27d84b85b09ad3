// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "src/core/half.hpp"

namespace mpdist::kernels::cuda {

/// Reads of the compute types: exact.
__device__ inline float widen(float a) {
  return a;
}
__device__ inline float widen(half a) {
  return __half2float(__ushort_as_half(a.bits));
}
__device__ inline float widen(bfloat16 a) {
  return __uint_as_float(static_cast<unsigned>(a.bits) << 16);
}

/// The one rounding of a result: to nearest, ties to even.
template <class T>
__device__ inline T narrow(float a);
template <>
__device__ inline float narrow<float>(float a) {
  return a;
}
template <>
__device__ inline half narrow<half>(float a) {
  half result;
  result.bits = __half_as_ushort(__float2half_rn(a));
  return result;
}
template <>
__device__ inline bfloat16 narrow<bfloat16>(float a) {
  bfloat16 result;
  result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(a));
  return result;
}

/// Elements of one 16-byte access.
template <class T>
inline constexpr int kVector = 16 / static_cast<int>(sizeof(T));

template <class T>
struct alignas(16) Vector {
  T element[kVector<T>];
};

}  // namespace mpdist::kernels::cuda
