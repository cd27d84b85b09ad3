// SPDX-License-Identifier: Apache-2.0
#pragma once
// The AVX-512 half of vector.hpp (F, BW, DQ, VL): 16 lanes in one register.
#if defined(__GNUC__) && !defined(__clang__)  // g++ 12 takes the undefined operands of its own intrinsics for mistakes
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include <cstdint>

#include "src/core/half.hpp"

namespace mpdist::kernels::cpu {

struct F32x16 {
  __m512 v;
};
struct U32x16 {
  __m512i v;
};
struct F64x16 {
  __m512d v[2];
};
struct U64x16 {
  __m512i v[2];
};
struct Mask16 {
  __mmask16 v;
};

inline F32x16 broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
inline F32x16 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline void store(float* p, F32x16 a) {
  _mm512_storeu_ps(p, a.v);
}
inline F32x16 load(const half* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline void store(half* p, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 sqrt(F32x16 a) {
  return {_mm512_sqrt_ps(a.v)};
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return {_mm512_min_ps(a.v, b.v)};
}

inline Mask16 greater(F32x16 a, F32x16 b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
}
inline Mask16 less_equal(F32x16 a, F32x16 b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)};
}
inline Mask16 is_nan(F32x16 a) {
  return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)};
}
inline Mask16 operator&(Mask16 a, Mask16 b) {
  return {static_cast<__mmask16>(a.v & b.v)};
}
inline Mask16 operator|(Mask16 a, Mask16 b) {
  return {static_cast<__mmask16>(a.v | b.v)};
}
inline Mask16 operator~(Mask16 a) {
  return {static_cast<__mmask16>(~a.v)};
}
inline int count(Mask16 a) {
  return __builtin_popcount(a.v);
}
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) {
  return {_mm512_mask_blend_ps(mask.v, no.v, yes.v)};
}
inline U32x16 select(Mask16 mask, U32x16 yes, U32x16 no) {
  return {_mm512_mask_blend_epi32(mask.v, no.v, yes.v)};
}

inline U32x16 bits_of(F32x16 a) {
  return {_mm512_castps_si512(a.v)};
}
inline F32x16 float_of_bits(U32x16 a) {
  return {_mm512_castsi512_ps(a.v)};
}
inline F32x16 int_to_float(U32x16 a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline U32x16 to_nearest_int(F32x16 a) {
  return {_mm512_cvtps_epi32(a.v)};
}

inline U32x16 broadcast(std::uint32_t x) {
  return {_mm512_set1_epi32(static_cast<int>(x))};
}
inline U32x16 load(const std::uint32_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline U32x16 load(const std::uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline void store_low(std::uint16_t* p, U32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
}
inline U32x16 operator+(U32x16 a, U32x16 b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline U32x16 operator-(U32x16 a, U32x16 b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline U32x16 operator&(U32x16 a, U32x16 b) {
  return {_mm512_and_si512(a.v, b.v)};
}
inline U32x16 operator|(U32x16 a, U32x16 b) {
  return {_mm512_or_si512(a.v, b.v)};
}
inline U32x16 operator^(U32x16 a, U32x16 b) {
  return {_mm512_xor_si512(a.v, b.v)};
}
template <int kBits>
inline U32x16 shift_right(U32x16 a) {
  return {_mm512_srli_epi32(a.v, kBits)};
}
template <int kBits>
inline U32x16 shift_left(U32x16 a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline U32x16 shift_right_signed(U32x16 a) {
  return {_mm512_srai_epi32(a.v, kBits)};
}
inline Mask16 greater_signed(U32x16 a, U32x16 b) {
  return {_mm512_cmpgt_epi32_mask(a.v, b.v)};
}
inline Mask16 equal(U32x16 a, U32x16 b) {
  return {_mm512_cmpeq_epi32_mask(a.v, b.v)};
}

/// The 64-bit products of the lanes: high and low words.
inline void multiply_wide(U32x16 a, U32x16 b, U32x16& high, U32x16& low) {
  const __m512i even = _mm512_mul_epu32(a.v, b.v);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), _mm512_srli_epi64(b.v, 32));
  low.v = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  high.v = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

/// In each group of four lanes, transposes the 4 x 4 words of a[0..3].
inline void transpose_fours(U32x16 (&a)[4]) {
  const __m512i low01 = _mm512_unpacklo_epi32(a[0].v, a[1].v);
  const __m512i high01 = _mm512_unpackhi_epi32(a[0].v, a[1].v);
  const __m512i low23 = _mm512_unpacklo_epi32(a[2].v, a[3].v);
  const __m512i high23 = _mm512_unpackhi_epi32(a[2].v, a[3].v);
  a[0].v = _mm512_unpacklo_epi64(low01, low23);
  a[1].v = _mm512_unpackhi_epi64(low01, low23);
  a[2].v = _mm512_unpacklo_epi64(high01, high23);
  a[3].v = _mm512_unpackhi_epi64(high01, high23);
}

/// Transposes the 4 x 4 quarters (of four lanes each) of a[0..3].
inline void transpose_quarters(U32x16 (&a)[4]) {
  const __m512i even01 = _mm512_shuffle_i32x4(a[0].v, a[1].v, 0x88);
  const __m512i odd01 = _mm512_shuffle_i32x4(a[0].v, a[1].v, 0xDD);
  const __m512i even23 = _mm512_shuffle_i32x4(a[2].v, a[3].v, 0x88);
  const __m512i odd23 = _mm512_shuffle_i32x4(a[2].v, a[3].v, 0xDD);
  a[0].v = _mm512_shuffle_i32x4(even01, even23, 0x88);
  a[1].v = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
  a[2].v = _mm512_shuffle_i32x4(even01, even23, 0xDD);
  a[3].v = _mm512_shuffle_i32x4(odd01, odd23, 0xDD);
}

inline F64x16 broadcast64(double x) {
  return {{_mm512_set1_pd(x), _mm512_set1_pd(x)}};
}
inline F64x16 widen(F32x16 a) {
  return {{_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))}};
}
inline F32x16 narrow(F64x16 a) {
  return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a.v[0])), _mm512_cvtpd_ps(a.v[1]), 1)};
}
inline F64x16 operator*(F64x16 a, F64x16 b) {
  return {{_mm512_mul_pd(a.v[0], b.v[0]), _mm512_mul_pd(a.v[1], b.v[1])}};
}
inline F64x16 operator+(F64x16 a, F64x16 b) {
  return {{_mm512_add_pd(a.v[0], b.v[0]), _mm512_add_pd(a.v[1], b.v[1])}};
}
inline F64x16 load(const double* p) {
  return {{_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)}};
}
inline void store(double* p, F64x16 a) {
  _mm512_storeu_pd(p, a.v[0]);
  _mm512_storeu_pd(p + 8, a.v[1]);
}

inline U64x16 broadcast64(std::uint64_t x) {
  const __m512i all = _mm512_set1_epi64(static_cast<long long>(x));
  return {{all, all}};
}
inline U64x16 load(const std::uint64_t* p) {
  return {{_mm512_loadu_si512(p), _mm512_loadu_si512(p + 8)}};
}
inline void store(std::uint64_t* p, U64x16 a) {
  _mm512_storeu_si512(p, a.v[0]);
  _mm512_storeu_si512(p + 8, a.v[1]);
}
inline U64x16 zero_extend(U32x16 a) {
  return {
      {_mm512_cvtepu32_epi64(_mm512_castsi512_si256(a.v)), _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(a.v, 1))}};
}
inline U64x16 operator+(U64x16 a, U64x16 b) {
  return {{_mm512_add_epi64(a.v[0], b.v[0]), _mm512_add_epi64(a.v[1], b.v[1])}};
}
inline U64x16 operator^(U64x16 a, U64x16 b) {
  return {{_mm512_xor_si512(a.v[0], b.v[0]), _mm512_xor_si512(a.v[1], b.v[1])}};
}
inline U64x16 operator*(U64x16 a, U64x16 b) {
  return {{_mm512_mullo_epi64(a.v[0], b.v[0]), _mm512_mullo_epi64(a.v[1], b.v[1])}};
}
template <int kBits>
inline U64x16 shift_right(U64x16 a) {
  return {{_mm512_srli_epi64(a.v[0], kBits), _mm512_srli_epi64(a.v[1], kBits)}};
}

}  // namespace mpdist::kernels::cpu
