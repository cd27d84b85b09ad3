// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels {

/// g = round(unscale * gradient) * clip (+ decay * master when coupled)
/// update = sign(beta1*m + (1-beta1)*g), sign(0) = 0;  m = beta2*m + (1-beta2)*g
/// master -= lr * (update + decay*master when decoupled)
/// working = master rounded to the compute type; finite masters beyond its range saturate and are counted.
/// lr and decay are per segment: lr * segment.lr_scale. Source: Lion, Chen et al. 2023, algorithm 2.
struct LionStep {
  Tensor master;       ///< [n] FP32, updated in place
  Tensor m;            ///< [n] FP32 average of the gradient, updated in place
  Tensor gradient;     ///< [n] wire type, still multiplied by the loss scale
  Tensor working;      ///< [n] compute type; empty (or the master itself) with FP32 compute
  double unscale = 1;  ///< M / (loss scale * loss terms), formed in FP64; each product is rounded once to FP32
  float clip = 1;      ///< min(1, clip_norm / global norm of the unscaled gradient)
  float lr = 0;
  float beta1 = 0.9F, beta2 = 0.99F;
  bool decoupled = true;                       ///< whether OptimizerSegment::decay is decoupled or coupled
  const OptimizerSegment* segments = nullptr;  ///< [segment_count], cover every parameter
  std::int64_t segment_count = 0;
  std::int64_t* saturated = nullptr;  ///< receives the count of saturated working elements, host memory
  void validate() const {
    checks::optimizer_arrays("lion_step", master, gradient, working);
    checks::optimizer_slot("lion_step", "m", m, master);
    checks::segments_fit("lion_step", segments, segment_count, master.elements());
    checks::pointer("lion_step", "saturated", saturated);
  }
};
MPDIST_KERNEL(lion_step, LionStep);

}  // namespace mpdist::kernels
