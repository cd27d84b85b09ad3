// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sixteen lanes of FP32 whose results are the same bits whatever the instruction set: one operation of IEEE 754 per
// call, FMA only where a kernel asks for it by name. Conversions to 16-bit types round to nearest, ties to even, keep
// subnormals and NaN, exactly as src/core/half.hpp.
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "src/core/half.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "kernels/cpu/vector_avx512.hpp"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "kernels/cpu/vector_avx2.hpp"
#else
#error "the CPU kernels need AVX2, FMA and F16C: set MPDIST_ARCH to x86-64-v3 or better"
#endif

namespace mpdist::kernels::cpu {

inline constexpr std::int64_t kLanes = 16;

inline F32x16 load(const bfloat16* p) {
  return float_of_bits(shift_left<16>(load(reinterpret_cast<const std::uint16_t*>(p))));
}
/// The BF16 bits of each lane, in integers: the BF16 conversion instructions flush subnormals.
inline U32x16 bfloat16_bits(F32x16 a) {
  const U32x16 bits = bits_of(a);
  const U32x16 odd = shift_right<16>(bits) & broadcast(1u);
  const U32x16 nearest = shift_right<16>(bits + broadcast(0x7fffu) + odd);
  const U32x16 quiet_nan = shift_right<16>(bits) | broadcast(0x40u);
  return select(is_nan(a), quiet_nan, nearest);
}
inline void store(bfloat16* p, F32x16 a) {
  store_low(reinterpret_cast<std::uint16_t*>(p), bfloat16_bits(a));
}

inline F32x16 abs(F32x16 a) {
  return float_of_bits(bits_of(a) & broadcast(0x7fffffffu));
}
inline F32x16 copy_sign(F32x16 magnitude, F32x16 sign) {
  return float_of_bits(bits_of(abs(magnitude)) | (bits_of(sign) & broadcast(0x80000000u)));
}
/// Lanes that are neither infinite nor NaN.
inline Mask16 is_finite(F32x16 a) {
  return less_equal(abs(a), broadcast(0x1.fffffep127F));
}

/// All sixteen lanes, or the first `count` of them: `load(p, lanes)` then reads nothing beyond and fills with zero, and
/// `store(p, a, lanes)` writes nothing beyond.
struct AllLanes {
  static constexpr std::int64_t count = kLanes;
};
struct FirstLanes {
  std::int64_t count;
};

template <class T>
inline auto load(const T* p, AllLanes) {
  return load(p);
}
template <class T>
inline auto load(const T* p, FirstLanes lanes) {
  alignas(64) T buffer[kLanes] = {};
  std::memcpy(buffer, p, static_cast<std::size_t>(lanes.count) * sizeof(T));
  return load(buffer);
}
template <class T, class Vector>
inline void store(T* p, Vector a, AllLanes) {
  store(p, a);
}
template <class T, class Vector>
inline void store(T* p, Vector a, FirstLanes lanes) {
  alignas(64) T buffer[kLanes];
  store(buffer, a);
  std::memcpy(p, buffer, static_cast<std::size_t>(lanes.count) * sizeof(T));
}

/// Calls body(i, lanes) for i = 0, 16, ...: whole vectors, then the tail.
template <class Body>
inline void for_each_vector(std::int64_t elements, Body&& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= elements; i += kLanes) body(i, AllLanes{});
  if (i < elements) body(i, FirstLanes{elements - i});
}

/// The sixteen lanes summed in one fixed tree: 8, 4, 2, 1 apart.
template <class T>
inline T sum_tree(T (&lane)[kLanes]) {
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}
inline float sum(F32x16 a) {
  float lane[kLanes];
  store(lane, a);
  return sum_tree(lane);
}

inline float first_lane(F32x16 a) {
  float lane[kLanes];
  store(lane, a);
  return lane[0];
}

/// The lanes whose number is below `count`.
inline Mask16 first_lanes(std::int64_t count) {
  static constexpr std::uint32_t kNumbers[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return greater_signed(broadcast(static_cast<std::uint32_t>(count)), load(kNumbers));
}

/// The raw bits of a compute type's elements, zero-extended to 32 bits.
template <class T, class Lanes>
inline U32x16 load_bits(const T* p, Lanes lanes) {
  using Word = std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint32_t>;
  return load(reinterpret_cast<const Word*>(p), lanes);
}

}  // namespace mpdist::kernels::cpu
