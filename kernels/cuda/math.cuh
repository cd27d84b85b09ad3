// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <initializer_list>

/// kernels/cpu/math.hpp, operation by operation: the same bits. Bounds and reasons stand there.
namespace mpdist::kernels::cuda {

inline constexpr float kLn2High = 0x1.62e4p-1F;
inline constexpr float kLn2Low = 0x1.7f7d1cp-20F;

/// ((((c_0 * x + c_1) * x + ...), each step one fused multiply and add.
__device__ inline float polynomial(float x, std::initializer_list<float> coefficients) {
  float p = 0;
  for (const float c : coefficients) p = fmaf(p, x, c);
  return p;
}

/// 2^k for k from -126 to 127.
__device__ inline float power_of_two(int k) {
  return __int_as_float((k + 127) << 23);
}

__device__ inline float exp_of(float x) {
  x = -104.0F > x ? -104.0F : x;  // NaN stays
  x = 89.0F < x ? 89.0F : x;
  const int k = __float2int_rn(x * 0x1.715476p0F);
  const float n = static_cast<float>(k);
  const float r = fmaf(n, -kLn2Low, fmaf(n, -kLn2High, x));
  const float p = polynomial(r, {1.0F / 5040, 1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F});
  const int half_k = k >> 1;
  return p * power_of_two(half_k) * power_of_two(k - half_k);
}

__device__ inline float log_of(float x) {
  const int root_half = 0x3f3504f3;
  const int e = (__float_as_int(x) - root_half) >> 23;
  const float f = __int_as_float(__float_as_int(x) - (e << 23)) - 1.0F;
  const float s = f / (f + 2.0F);
  const float s2 = s * s;
  const float p = polynomial(s2, {2.0F / 9, 2.0F / 7, 2.0F / 5, 2.0F / 3});
  const float n = static_cast<float>(e);
  const float small = fmaf(n, kLn2Low, s * s2 * p);
  return isnan(x) ? x : fmaf(n, kLn2High, s + s + small);
}

__device__ inline float normal_density(float x) {
  return 0.39894228F * exp_of(-0.5F * x * x);
}

__device__ inline float normal_distribution(float x) {
  const float t = 1.0F / fmaf(fabsf(x), 0x1.6a09e6p-2F, 1.0F);
  const float p = polynomial(
      t, {0.17838447735317F, -0.8582912360385031F, 1.5619358456333763F, -1.2171044409008263F, 0.33347661194399664F,
          -0.20848708699854718F, 0.1021596752056173F, 0.37336941480702546F, 1.0000700323403457F, -1.2655132090582077F});
  const float tail = 0.5F * t * exp_of(fmaf(-0.5F * x, x, p));
  return x > 0.0F ? 1.0F - tail : tail;
}

}  // namespace mpdist::kernels::cuda
