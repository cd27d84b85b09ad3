// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>

#include "src/core/half.hpp"

/// Elements of the compute types, singly and in packs of one access.
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

/// The one rounding of a result: to nearest, ties to even. NaN stays NaN, without its payload.
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

/// How many consecutive elements a thread reads or writes at once: the widest type's share of 16 bytes.
template <class... T>
inline constexpr int kVector = 16 / static_cast<int>(std::max({sizeof(T)...}));

/// N as an argument.
template <int N>
struct Lanes {
  static constexpr int count = N;
};

template <int kBytes>
struct WordOf;
template <>
struct WordOf<16> {
  using type = uint4;
};
template <>
struct WordOf<8> {
  using type = uint2;
};
template <>
struct WordOf<4> {
  using type = unsigned;
};
template <>
struct WordOf<2> {
  using type = unsigned short;
};
template <>
struct WordOf<1> {
  using type = unsigned char;
};

/// N elements at a place that is a multiple of their size. read() and write() are one access; copying a Pack in memory
/// is one for each element.
template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  using Word = typename WordOf<N* static_cast<int>(sizeof(T))>::type;
  T element[N];

  __device__ static Pack read(const T* p) {
    const Word word = *reinterpret_cast<const Word*>(p);
    Pack result;
    memcpy(&result, &word, sizeof word);
    return result;
  }
  __device__ void write(T* p) const {
    Word word;
    memcpy(&word, this, sizeof word);
    *reinterpret_cast<Word*>(p) = word;
  }
};

/// The elements of one 16-byte access.
template <class T>
using Vector = Pack<T, kVector<T>>;

/// N values in registers, in FP32.
template <int N>
struct Floats {
  float lane[N];
  __device__ float& operator[](int k) { return lane[k]; }
  __device__ float operator[](int k) const { return lane[k]; }
};

template <int N, class T>
__device__ inline Floats<N> load(const T* p, Lanes<N>) {
  const Pack<T, N> pack = Pack<T, N>::read(p);
  Floats<N> result;
#pragma unroll
  for (int k = 0; k < N; ++k) result[k] = widen(pack.element[k]);
  return result;
}

/// Each value rounded once.
template <int N, class T>
__device__ inline void store(T* p, const Floats<N>& a, Lanes<N>) {
  Pack<T, N> pack;
#pragma unroll
  for (int k = 0; k < N; ++k) pack.element[k] = narrow<T>(a[k]);
  pack.write(p);
}

/// Whether packs of N elements may begin at p.
template <int N, class T>
inline bool takes_packs(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % (N * sizeof(T)) == 0;
}

}  // namespace mpdist::kernels::cuda
