// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cpu/rounding.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels::cpu {

/// round(unscale * gradient) * clip: the product with unscale in FP64, rounded once to FP32.
template <class Wire, class Lanes>
inline F32x16 unscaled_gradient(const Wire* gradient, F64x16 unscale, F32x16 clip, Lanes lanes) {
  return narrow(widen(load(gradient, lanes)) * unscale) * clip;
}

/// Calls f(Wire{}, Working{}); Working is float where there is no working copy beside the master.
template <class F>
void with_optimizer_types(const Tensor& gradient, const Tensor& working, F&& f) {
  with_compute_type(gradient.dtype(), [&](auto wire) {
    with_compute_type(working ? working.dtype() : DType::fp32, [&](auto compute) { f(wire, compute); });
  });
}

template <class Working>
Working* working_or_master(const Tensor& working, const Tensor& master) {
  return working ? working.data<Working>() : static_cast<Working*>(master.raw());
}

inline float* data_or_null(const Tensor& slot) {
  return slot ? slot.data<float>() : nullptr;
}

/// Sum of squares in FP64, in sixteen lanes and one tree.
class SumOfSquares {
 public:
  void add(F32x16 a, AllLanes) {
    const F64x16 wide = widen(a);
    squares_ = squares_ + wide * wide;
  }
  void add(F32x16 a, FirstLanes lanes) { add(select(first_lanes(lanes.count), a, broadcast(0.0F)), AllLanes{}); }
  double total() const {
    double lane[kLanes];
    store(lane, squares_);
    return sum_tree(lane);
  }

 private:
  F64x16 squares_ = broadcast64(0.0);
};

/// lr * lr_scale * trust, rounded once.
inline float adapted_rate(float lr, const OptimizerSegment& segment, double trust) {
  return static_cast<float>(static_cast<double>(lr) * static_cast<double>(segment.lr_scale) * trust);
}

/// Writes the master, and its saturating rounding to the working copy where there is one.
template <class Working, class Lanes>
inline void store_master(float* master, Working* working, F32x16 value, std::int64_t& saturated, Lanes lanes) {
  store(master, value, lanes);
  if constexpr (!std::is_same_v<Working, float>) store(working, saturate<Working>(value, saturated), lanes);
}

}  // namespace mpdist::kernels::cpu
