// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstring>
#include <utility>

#include "tests/software_gpu/ptx/builder.hpp"
#include "tests/software_gpu/ptx/warp.hpp"

namespace software_gpu::ptx {

/// Writes the lanes of `mask` to a register.
template <class T>
void store_lanes(T* to, const T* from, Mask mask) {
  if (mask == kAllLanes) {
    std::memcpy(to, from, sizeof(T) * kLanes);
    return;
  }
  for (int lane = 0; lane < kLanes; ++lane) to[lane] = (mask >> lane & 1) != 0 ? from[lane] : to[lane];
}

template <class F>
void for_each_lane(Mask mask, F&& function) {
  for (; mask != 0; mask &= mask - 1) function(std::countr_zero(mask));
}

/// Functions that no compiler vectorises say so: `static constexpr bool kPerLane = true`.
template <class F>
constexpr bool per_lane() {
  if constexpr (requires { F::kPerLane; }) return F::kPerLane;
  return false;
}

/// destination = F::apply(source 0, source 1 ...), lane by lane. All lanes are computed, so apply must not trap.
template <class F, class Signature = decltype(&F::apply)>
struct Elementwise;

template <class F, class D, class... S>
struct Elementwise<F, D (*)(S...)> {
  static void run(Warp& warp, const Instruction& x, Mask mask) {
    apply(warp, x, mask, std::index_sequence_for<S...>{});
  }
  static void bind(Builder& builder) {
    builder.x.execute = &run;
    builder.destination(0, sizeof(D));
    bind_sources(builder, std::index_sequence_for<S...>{});
  }

 private:
  template <std::size_t... I>
  static void apply(Warp& warp, const Instruction& x, Mask mask, std::index_sequence<I...>) {
    D* to = warp.lanes<D>(x.destination);
    if constexpr (per_lane<F>()) {
      for_each_lane(mask, [&](int lane) { to[lane] = F::apply(warp.lanes<S>(x.source[I])[lane]...); });
    } else {
      compute(to, mask, warp.lanes<S>(x.source[I])...);
    }
  }
  static void compute(D* to, Mask mask, const S*... from) {
    alignas(64) D result[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) result[lane] = F::apply(from[lane]...);
    store_lanes(to, result, mask);
  }
  template <std::size_t... I>
  static void bind_sources(Builder& builder, std::index_sequence<I...>) {
    (builder.source(I, I + 1, sizeof(S)), ...);
  }
};

template <class F>
void bind(Builder& builder) {
  Elementwise<F>::bind(builder);
}

}  // namespace software_gpu::ptx
