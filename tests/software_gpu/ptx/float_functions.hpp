// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {

/// Arithmetic in FP32 gives this NaN whatever NaN went in; FP64 hands a NaN of its operands on.
inline constexpr std::uint32_t kCanonicalNan = 0x7FFFFFFFu;

inline float canonical(float value) {
  return value != value ? std::bit_cast<float>(kCanonicalNan) : value;
}
inline double canonical(double value) {
  return value;
}

/// `.ftz`: subnormal numbers count as zero of their sign.
inline float flush(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x7F800000u) == 0 ? std::bit_cast<float>(bits & 0x80000000u) : value;
}
inline double flush(double value) {
  return value;
}

/// `.sat`: clamped to [0, 1], NaN to 0.
template <class T>
T saturate(T value) {
  value = value > 0 ? value : T{0};
  return value > 1 ? T{1} : value;
}

/// F with the modifiers `.ftz` and `.sat`.
template <class F, bool kFlush, bool kSaturate, class Signature = decltype(&F::apply)>
struct Modified;
template <class F, bool kFlush, bool kSaturate, class D, class... S>
struct Modified<F, kFlush, kSaturate, D (*)(S...)> {
  static constexpr bool kPerLane = per_lane<F>();
  static D apply(S... sources) {
    D result = D{};
    if constexpr (kFlush) {
      result = flush(F::apply(flush(sources)...));
    } else {
      result = F::apply(sources...);
    }
    if constexpr (kSaturate) return saturate(result);
    return canonical(result);
  }
};

/// Binds F with the modifiers `.ftz` and `.sat` that the statement has.
template <class F>
void bind_modified(Builder& builder) {
  const bool ftz = builder.take("ftz");
  const bool sat = builder.take("sat");
  if (ftz) return sat ? bind<Modified<F, true, true>>(builder) : bind<Modified<F, true, false>>(builder);
  return sat ? bind<Modified<F, false, true>>(builder) : bind<Modified<F, false, false>>(builder);
}

/// The operations that have directed roundings.
enum class DirectedOperation : std::uint8_t { add, sub, mul, fma, div, sqrt };

/// Takes `.rn`, `.rz`, `.rm` or `.rp`. For the last three binds the operation (f32 or f64, with .ftz and .sat) in that
/// rounding and returns true.
bool bind_directed(Builder& builder, DirectedOperation operation);

}  // namespace software_gpu::ptx
