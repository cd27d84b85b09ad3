// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace software_gpu::ptx {

// Conversions without branches, so that loops over 32 lanes vectorise. FP16 is IEEE 754 binary16, BF16 the upper half
// of binary32. NaN becomes the canonical 0x7FFF.

inline float half_to_float(std::uint16_t half) {
  const std::uint32_t shifted = static_cast<std::uint32_t>(half & 0x7FFFu) << 13;
  const std::uint32_t exponent = shifted & 0x0F800000u;
  std::uint32_t bits = shifted + 0x38000000u;
  bits += exponent == 0x0F800000u ? 0x38000000u : 0u;
  const float subnormal = std::bit_cast<float>(bits + 0x00800000u) - 0x1p-14f;
  const float magnitude = exponent == 0 ? subnormal : std::bit_cast<float>(bits);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | static_cast<std::uint32_t>(half & 0x8000u)
                                                                            << 16);
}

inline std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t normal = (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  std::uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x47800000u ? 0x7C00u : result;
  result |= sign;
  return static_cast<std::uint16_t>(magnitude > 0x7F800000u ? 0x7FFFu : result);
}

inline float bfloat_to_float(std::uint16_t bfloat) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bfloat) << 16);
}

inline std::uint16_t float_to_bfloat(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFFu : rounded);
}

/// What a conversion does with what does not fit: nearest even, toward zero, down, up, nearest with ties away.
enum class Rounding : std::uint8_t { nearest, zero, down, up, away };

inline double round_integral(double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::zero:
      return std::trunc(value);
    case Rounding::down:
      return std::floor(value);
    case Rounding::up:
      return std::ceil(value);
    case Rounding::away:
      return std::round(value);
    default:
      return std::nearbyint(value);
  }
}

/// The value of a binary format with `digits` significant bits and least normal exponent `least` that `value` rounds
/// to.
inline double round_to_format(double value, int digits, int least, double largest, Rounding rounding) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), least);
  const double rounded =
      std::ldexp(round_integral(std::ldexp(value, digits - 1 - exponent), rounding), exponent - digits + 1);
  if (std::fabs(rounded) <= largest) return rounded;
  const bool infinite = rounding == Rounding::nearest || rounding == Rounding::away ||
                        (rounding == Rounding::up && value > 0) || (rounding == Rounding::down && value < 0);
  return std::copysign(infinite ? std::numeric_limits<double>::infinity() : largest, value);
}

inline std::uint16_t double_to_half(double value, Rounding rounding = Rounding::nearest) {
  return float_to_half(static_cast<float>(round_to_format(value, 11, -14, 65504.0, rounding)));
}
inline std::uint16_t double_to_bfloat(double value, Rounding rounding = Rounding::nearest) {
  return float_to_bfloat(static_cast<float>(round_to_format(value, 8, -126, 0x1.FEp127, rounding)));
}
inline float double_to_float(double value, Rounding rounding = Rounding::nearest) {
  if (rounding == Rounding::nearest) return static_cast<float>(value);
  return static_cast<float>(round_to_format(value, 24, -126, std::numeric_limits<float>::max(), rounding));
}

/// a * b + c for formats narrow enough that a * b is exact in FP64: the sum is rounded to odd, so that rounding it once
/// more to the narrow format gives the correctly rounded result (Boldo & Melquiond 2008).
inline double fused_to_odd(double a, double b, double c) {
  const double product = a * b;
  const double sum = product + c;
  const double virtual_c = sum - product;
  const double error = (product - (sum - virtual_c)) + (c - virtual_c);
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(sum);
  const bool inexact = error != 0 && (bits & 1) == 0 && std::isfinite(sum);
  // Toward the error: one step away from zero when sum and error have the same sign, else one toward it.
  const std::uint64_t step = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
  return inexact ? std::bit_cast<double>(step) : sum;
}

}  // namespace software_gpu::ptx
