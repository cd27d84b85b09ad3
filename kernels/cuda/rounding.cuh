// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/element.cuh"

namespace mpdist::kernels::cuda {

/// Largest finite value of a compute type.
template <class T>
inline constexpr float kLargest = 0x1.fffffep127F;
template <>
inline constexpr float kLargest<half> = 65504.0F;
template <>
inline constexpr float kLargest<bfloat16> = 0x1.fep127F;

/// Smallest magnitude that rounds to infinity: half a unit beyond the largest value, whose mantissa is odd.
template <class T>
inline constexpr float kRoundsToInfinity = __builtin_huge_valf();
template <>
inline constexpr float kRoundsToInfinity<half> = 65520.0F;
template <>
inline constexpr float kRoundsToInfinity<bfloat16> = 0x1.ffp127F;

/// Whether a is infinite or NaN after rounding to T.
template <class T>
__device__ inline bool rounds_to_nonfinite(float a) {
  return !(fabsf(a) < kRoundsToInfinity<T>);
}

/// A finite value beyond the largest finite one of T becomes that with its sign, and is counted.
template <class T>
__device__ inline float saturate(float a, unsigned& saturated) {
  const bool beyond = fabsf(a) > kLargest<T> && fabsf(a) <= kLargest<float>;
  saturated += beyond;
  return beyond ? copysignf(kLargest<T>, a) : a;
}

}  // namespace mpdist::kernels::cuda
