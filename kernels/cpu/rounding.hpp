// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <limits>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

/// Largest finite value of a compute type.
template <class T>
inline constexpr float kLargest = 0x1.fffffep127F;
template <>
inline constexpr float kLargest<half> = 65504.0F;
template <>
inline constexpr float kLargest<bfloat16> = 0x1.fep127F;

/// Smallest magnitude that rounds to infinity: half a unit beyond the largest value, whose mantissa is odd.
template <class T>
inline constexpr float kRoundsToInfinity = std::numeric_limits<float>::infinity();
template <>
inline constexpr float kRoundsToInfinity<half> = 65520.0F;
template <>
inline constexpr float kRoundsToInfinity<bfloat16> = 0x1.ffp127F;

/// Lanes that are infinite or NaN after rounding to T.
template <class T>
inline Mask16 rounds_to_nonfinite(F32x16 a) {
  return ~greater(broadcast(kRoundsToInfinity<T>), abs(a));
}

/// Finite lanes beyond the largest finite value of T become that value with their sign; their number is added to
/// `saturated`.
template <class T>
inline F32x16 saturate(F32x16 a, std::int64_t& saturated) {
  if constexpr (std::is_same_v<T, float>) {
    return a;
  } else {
    const F32x16 largest = broadcast(kLargest<T>);
    const Mask16 beyond = greater(abs(a), largest) & is_finite(a);
    saturated += count(beyond);
    return select(beyond, copy_sign(largest, a), a);
  }
}

}  // namespace mpdist::kernels::cpu
