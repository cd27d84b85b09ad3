// SPDX-License-Identifier: Apache-2.0
#pragma once
// The AVX2 half of vector.hpp (with FMA and F16C): 16 lanes in two or four registers.
#include <immintrin.h>

#include <cstdint>

#include "src/core/half.hpp"

namespace mpdist::kernels::cpu {

struct F32x16 {
  __m256 v[2];
};
struct U32x16 {
  __m256i v[2];
};
struct F64x16 {
  __m256d v[4];
};
struct U64x16 {
  __m256i v[4];
};
struct Mask16 {
  __m256 v[2];  ///< all bits of a lane, or none
};

inline F32x16 broadcast(float x) {
  return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}};
}
inline F32x16 load(const float* p) {
  return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}};
}
inline void store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.v[0]);
  _mm256_storeu_ps(p + 8, a.v[1]);
}
inline F32x16 load(const half* p) {
  const __m256i all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {{_mm256_cvtph_ps(_mm256_castsi256_si128(all)), _mm256_cvtph_ps(_mm256_extracti128_si256(all, 1))}};
}
inline void store(half* p, F32x16 a) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_set_m128i(_mm256_cvtps_ph(a.v[1], kNearest), _mm256_cvtps_ph(a.v[0], kNearest)));
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return {{_mm256_add_ps(a.v[0], b.v[0]), _mm256_add_ps(a.v[1], b.v[1])}};
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return {{_mm256_sub_ps(a.v[0], b.v[0]), _mm256_sub_ps(a.v[1], b.v[1])}};
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return {{_mm256_mul_ps(a.v[0], b.v[0]), _mm256_mul_ps(a.v[1], b.v[1])}};
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return {{_mm256_div_ps(a.v[0], b.v[0]), _mm256_div_ps(a.v[1], b.v[1])}};
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}};
}
inline F32x16 sqrt(F32x16 a) {
  return {{_mm256_sqrt_ps(a.v[0]), _mm256_sqrt_ps(a.v[1])}};
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return {{_mm256_max_ps(a.v[0], b.v[0]), _mm256_max_ps(a.v[1], b.v[1])}};
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return {{_mm256_min_ps(a.v[0], b.v[0]), _mm256_min_ps(a.v[1], b.v[1])}};
}

template <int kPredicate>
inline Mask16 compare(F32x16 a, F32x16 b) {
  return {{_mm256_cmp_ps(a.v[0], b.v[0], kPredicate), _mm256_cmp_ps(a.v[1], b.v[1], kPredicate)}};
}
inline Mask16 greater(F32x16 a, F32x16 b) {
  return compare<_CMP_GT_OQ>(a, b);
}
inline Mask16 less_equal(F32x16 a, F32x16 b) {
  return compare<_CMP_LE_OQ>(a, b);
}
inline Mask16 is_nan(F32x16 a) {
  return compare<_CMP_UNORD_Q>(a, a);
}
inline Mask16 operator&(Mask16 a, Mask16 b) {
  return {{_mm256_and_ps(a.v[0], b.v[0]), _mm256_and_ps(a.v[1], b.v[1])}};
}
inline Mask16 operator|(Mask16 a, Mask16 b) {
  return {{_mm256_or_ps(a.v[0], b.v[0]), _mm256_or_ps(a.v[1], b.v[1])}};
}
inline Mask16 operator~(Mask16 a) {
  const __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  return {{_mm256_xor_ps(a.v[0], ones), _mm256_xor_ps(a.v[1], ones)}};
}
inline int count(Mask16 a) {
  return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(a.v[0]) | (_mm256_movemask_ps(a.v[1]) << 8)));
}
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) {
  return {{_mm256_blendv_ps(no.v[0], yes.v[0], mask.v[0]), _mm256_blendv_ps(no.v[1], yes.v[1], mask.v[1])}};
}

inline U32x16 bits_of(F32x16 a) {
  return {{_mm256_castps_si256(a.v[0]), _mm256_castps_si256(a.v[1])}};
}
inline F32x16 float_of_bits(U32x16 a) {
  return {{_mm256_castsi256_ps(a.v[0]), _mm256_castsi256_ps(a.v[1])}};
}
inline F32x16 int_to_float(U32x16 a) {
  return {{_mm256_cvtepi32_ps(a.v[0]), _mm256_cvtepi32_ps(a.v[1])}};
}
inline U32x16 to_nearest_int(F32x16 a) {
  return {{_mm256_cvtps_epi32(a.v[0]), _mm256_cvtps_epi32(a.v[1])}};
}
inline U32x16 select(Mask16 mask, U32x16 yes, U32x16 no) {
  return bits_of(select(mask, float_of_bits(yes), float_of_bits(no)));
}

inline U32x16 broadcast(std::uint32_t x) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(x));
  return {{all, all}};
}
inline U32x16 load(const std::uint32_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)}};
}
inline U32x16 load(const std::uint16_t* p) {
  const auto* q = reinterpret_cast<const __m128i*>(p);
  return {{_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), _mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1))}};
}
inline U32x16 operator+(U32x16 a, U32x16 b) {
  return {{_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1])}};
}
inline U32x16 operator-(U32x16 a, U32x16 b) {
  return {{_mm256_sub_epi32(a.v[0], b.v[0]), _mm256_sub_epi32(a.v[1], b.v[1])}};
}
inline U32x16 operator&(U32x16 a, U32x16 b) {
  return {{_mm256_and_si256(a.v[0], b.v[0]), _mm256_and_si256(a.v[1], b.v[1])}};
}
inline U32x16 operator|(U32x16 a, U32x16 b) {
  return {{_mm256_or_si256(a.v[0], b.v[0]), _mm256_or_si256(a.v[1], b.v[1])}};
}
inline U32x16 operator^(U32x16 a, U32x16 b) {
  return {{_mm256_xor_si256(a.v[0], b.v[0]), _mm256_xor_si256(a.v[1], b.v[1])}};
}
template <int kBits>
inline U32x16 shift_right(U32x16 a) {
  return {{_mm256_srli_epi32(a.v[0], kBits), _mm256_srli_epi32(a.v[1], kBits)}};
}
template <int kBits>
inline U32x16 shift_left(U32x16 a) {
  return {{_mm256_slli_epi32(a.v[0], kBits), _mm256_slli_epi32(a.v[1], kBits)}};
}
template <int kBits>
inline U32x16 shift_right_signed(U32x16 a) {
  return {{_mm256_srai_epi32(a.v[0], kBits), _mm256_srai_epi32(a.v[1], kBits)}};
}
inline Mask16 greater_signed(U32x16 a, U32x16 b) {
  return {{_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v[0], b.v[0])),
           _mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v[1], b.v[1]))}};
}
inline Mask16 equal(U32x16 a, U32x16 b) {
  return {{_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v[0], b.v[0])),
           _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v[1], b.v[1]))}};
}
inline void store_low(std::uint16_t* p, U32x16 a) {
  const U32x16 low = a & broadcast(0xffffu);
  const __m256i packed = _mm256_packus_epi32(low.v[0], low.v[1]);  // 128-bit halves interleaved: put them in order
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}

/// The 64-bit products of the lanes: high and low words.
inline void multiply_wide(U32x16 a, U32x16 b, U32x16& high, U32x16& low) {
  for (int h = 0; h < 2; ++h) {
    const __m256i even = _mm256_mul_epu32(a.v[h], b.v[h]);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v[h], 32), _mm256_srli_epi64(b.v[h], 32));
    low.v[h] = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    high.v[h] = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  }
}

/// In each group of four lanes, transposes the 4 x 4 words of a[0..3].
inline void transpose_fours(U32x16 (&a)[4]) {
  for (int h = 0; h < 2; ++h) {
    const __m256i low01 = _mm256_unpacklo_epi32(a[0].v[h], a[1].v[h]);
    const __m256i high01 = _mm256_unpackhi_epi32(a[0].v[h], a[1].v[h]);
    const __m256i low23 = _mm256_unpacklo_epi32(a[2].v[h], a[3].v[h]);
    const __m256i high23 = _mm256_unpackhi_epi32(a[2].v[h], a[3].v[h]);
    a[0].v[h] = _mm256_unpacklo_epi64(low01, low23);
    a[1].v[h] = _mm256_unpackhi_epi64(low01, low23);
    a[2].v[h] = _mm256_unpacklo_epi64(high01, high23);
    a[3].v[h] = _mm256_unpackhi_epi64(high01, high23);
  }
}

/// Transposes the 4 x 4 quarters (of four lanes each) of a[0..3].
inline void transpose_quarters(U32x16 (&a)[4]) {
  U32x16 out[4];
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      out[2 * i].v[j] = _mm256_permute2x128_si256(a[2 * j].v[i], a[2 * j + 1].v[i], 0x20);
      out[2 * i + 1].v[j] = _mm256_permute2x128_si256(a[2 * j].v[i], a[2 * j + 1].v[i], 0x31);
    }
  }
  for (int i = 0; i < 4; ++i) a[i] = out[i];
}

inline F64x16 broadcast64(double x) {
  const __m256d all = _mm256_set1_pd(x);
  return {{all, all, all, all}};
}
inline F64x16 widen(F32x16 a) {
  return {{_mm256_cvtps_pd(_mm256_castps256_ps128(a.v[0])), _mm256_cvtps_pd(_mm256_extractf128_ps(a.v[0], 1)),
           _mm256_cvtps_pd(_mm256_castps256_ps128(a.v[1])), _mm256_cvtps_pd(_mm256_extractf128_ps(a.v[1], 1))}};
}
inline F32x16 narrow(F64x16 a) {
  return {{_mm256_set_m128(_mm256_cvtpd_ps(a.v[1]), _mm256_cvtpd_ps(a.v[0])),
           _mm256_set_m128(_mm256_cvtpd_ps(a.v[3]), _mm256_cvtpd_ps(a.v[2]))}};
}
inline F64x16 operator*(F64x16 a, F64x16 b) {
  for (int q = 0; q < 4; ++q) a.v[q] = _mm256_mul_pd(a.v[q], b.v[q]);
  return a;
}
inline F64x16 operator+(F64x16 a, F64x16 b) {
  for (int q = 0; q < 4; ++q) a.v[q] = _mm256_add_pd(a.v[q], b.v[q]);
  return a;
}
inline F64x16 load(const double* p) {
  return {{_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4), _mm256_loadu_pd(p + 8), _mm256_loadu_pd(p + 12)}};
}
inline void store(double* p, F64x16 a) {
  for (int q = 0; q < 4; ++q) _mm256_storeu_pd(p + 4 * q, a.v[q]);
}

inline U64x16 broadcast64(std::uint64_t x) {
  const __m256i all = _mm256_set1_epi64x(static_cast<long long>(x));
  return {{all, all, all, all}};
}
inline U64x16 load(const std::uint64_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1), _mm256_loadu_si256(q + 2), _mm256_loadu_si256(q + 3)}};
}
inline void store(std::uint64_t* p, U64x16 a) {
  for (int q = 0; q < 4; ++q) _mm256_storeu_si256(reinterpret_cast<__m256i*>(p) + q, a.v[q]);
}
inline U64x16 zero_extend(U32x16 a) {
  return {{_mm256_cvtepu32_epi64(_mm256_castsi256_si128(a.v[0])),
           _mm256_cvtepu32_epi64(_mm256_extracti128_si256(a.v[0], 1)),
           _mm256_cvtepu32_epi64(_mm256_castsi256_si128(a.v[1])),
           _mm256_cvtepu32_epi64(_mm256_extracti128_si256(a.v[1], 1))}};
}
inline U64x16 operator+(U64x16 a, U64x16 b) {
  for (int q = 0; q < 4; ++q) a.v[q] = _mm256_add_epi64(a.v[q], b.v[q]);
  return a;
}
inline U64x16 operator^(U64x16 a, U64x16 b) {
  for (int q = 0; q < 4; ++q) a.v[q] = _mm256_xor_si256(a.v[q], b.v[q]);
  return a;
}
inline U64x16 operator*(U64x16 a, U64x16 b) {
  for (int q = 0; q < 4; ++q) {  // no 64-bit multiply below AVX-512: low*low plus the two crossed products' low words
    const __m256i crossed = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(a.v[q], 32), b.v[q]),
                                             _mm256_mul_epu32(a.v[q], _mm256_srli_epi64(b.v[q], 32)));
    a.v[q] = _mm256_add_epi64(_mm256_mul_epu32(a.v[q], b.v[q]), _mm256_slli_epi64(crossed, 32));
  }
  return a;
}
template <int kBits>
inline U64x16 shift_right(U64x16 a) {
  for (int q = 0; q < 4; ++q) a.v[q] = _mm256_srli_epi64(a.v[q], kBits);
  return a;
}

}  // namespace mpdist::kernels::cpu
