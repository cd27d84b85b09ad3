// SPDX-License-Identifier: Apache-2.0
#pragma once
// exp, log and the normal distribution in our own polynomials: libm chooses its code by the processor, and so may its
// bits. The bounds are tested against double precision in tests/kernels/math_test.cpp.
#include <initializer_list>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

inline constexpr float kLn2High = 0x1.62e4p-1F;    // 17 bits: products with exponents are exact
inline constexpr float kLn2Low = 0x1.7f7d1cp-20F;  // ln 2 - kLn2High

/// 2^k of integer lanes from -126 to 127.
inline F32x16 power_of_two(U32x16 k) {
  return float_of_bits(shift_left<23>(k + broadcast(127u)));
}

/// e^x within 2 units in the last place; subnormal results rounded once; 0 and infinity beyond the range; NaN stays.
inline F32x16 exp(F32x16 x) {
  x = min(broadcast(89.0F), max(broadcast(-104.0F), x));  // in this order of arguments both hand on NaN
  const U32x16 k = to_nearest_int(x * broadcast(0x1.715476p0F));
  const F32x16 n = int_to_float(k);
  const F32x16 r = fma(n, broadcast(-kLn2Low), fma(n, broadcast(-kLn2High), x));
  F32x16 p = broadcast(1.0F / 5040);  // Taylor's series to r^7: the rest is below 2^-27 for |r| <= ln(2)/2
  for (float c : {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F}) p = fma(p, r, broadcast(c));
  const U32x16 half_k = shift_right_signed<1>(k);  // in two steps, since 2^k itself may be out of range
  return p * power_of_two(half_k) * power_of_two(k - half_k);
}

/// Natural logarithm of positive normal numbers within 3 units in the last place; NaN stays.
inline F32x16 log(F32x16 x) {
  const U32x16 root_half = broadcast(0x3f3504f3u);  // m in [sqrt(1/2), sqrt(2))
  const U32x16 e = shift_right_signed<23>(bits_of(x) - root_half);
  const F32x16 f = float_of_bits(bits_of(x) - shift_left<23>(e)) - broadcast(1.0F);
  const F32x16 s = f / (f + broadcast(2.0F));  // log(1+f) = 2 (s + s^3/3 + s^5/5 + ...)
  const F32x16 s2 = s * s;
  F32x16 p = broadcast(2.0F / 9);
  for (float c : {2.0F / 7, 2.0F / 5, 2.0F / 3}) p = fma(p, s2, broadcast(c));
  const F32x16 n = int_to_float(e);
  const F32x16 small = fma(n, broadcast(kLn2Low), s * s2 * p);
  const F32x16 result = fma(n, broadcast(kLn2High), s + s + small);
  return select(is_nan(x), x, result);
}

/// Density of the standard normal distribution, exp(-x^2/2) / sqrt(2 pi).
inline F32x16 normal_density(F32x16 x) {
  return broadcast(0.39894228F) * exp(broadcast(-0.5F) * x * x);
}

/// Standard normal distribution function, relative error at most (8 + x^2) * 2^-24, in the lower tail too.
/// With z = |x|/sqrt(2) and t = 1/(1 + z/2): erfc(z) = t * exp(-z^2 + P(t)), P fitted by Chebyshev (error 8.5e-8).
inline F32x16 normal_distribution(F32x16 x) {
  const F32x16 t = broadcast(1.0F) / fma(abs(x), broadcast(0x1.6a09e6p-2F), broadcast(1.0F));
  F32x16 p = broadcast(0.17838447735317F);
  for (float c :
       {-0.8582912360385031F, 1.5619358456333763F, -1.2171044409008263F, 0.33347661194399664F, -0.20848708699854718F,
        0.1021596752056173F, 0.37336941480702546F, 1.0000700323403457F, -1.2655132090582077F}) {
    p = fma(p, t, broadcast(c));
  }
  const F32x16 tail = broadcast(0.5F) * t * exp(fma(broadcast(-0.5F) * x, x, p));
  return select(greater(x, broadcast(0.0F)), broadcast(1.0F) - tail, tail);
}

}  // namespace mpdist::kernels::cpu
