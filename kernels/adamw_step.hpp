// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels {

/// g = round(unscale * gradient) * clip (+ decay * master when coupled: Adam with L2)
/// m = beta1*m + (1-beta1)*g;  v = beta2*v + (1-beta2)*g*g
/// master -= lr * (m/c1 / (sqrt(v/c2) + eps) + decay*master when decoupled)
/// with c1 = 1 - beta1^t, c2 = 1 - beta2^t, t = applied updates including this one; 1/c1 and 1/c2 are rounded to FP32.
/// working = master rounded to the compute type; finite masters beyond its range saturate and are counted.
/// lr and decay are per segment: lr * segment.lr_scale. Source: AdamW, Loshchilov & Hutter 2019, algorithm 2.
struct AdamwStep {
  Tensor master;       ///< [n] FP32, updated in place
  Tensor m, v;         ///< [n] FP32 moments, updated in place
  Tensor gradient;     ///< [n] wire type, still multiplied by the loss scale
  Tensor working;      ///< [n] compute type; empty (or the master itself) with FP32 compute
  double unscale = 1;  ///< M / (loss scale * loss terms), formed in FP64; each product is rounded once to FP32
  float clip = 1;      ///< min(1, clip_norm / global norm of the unscaled gradient)
  float lr = 0;
  float beta1 = 0.9F, beta2 = 0.999F, eps = 1e-8F;
  double correction1 = 1, correction2 = 1;  ///< c1, c2
  bool decoupled = true;
  const OptimizerSegment* segments = nullptr;  ///< [segment_count], cover every parameter
  std::int64_t segment_count = 0;
  std::int64_t* saturated = nullptr;  ///< receives the count of saturated working elements, host memory
  void validate() const {
    checks::optimizer_arrays("adamw_step", master, gradient, working);
    checks::optimizer_slot("adamw_step", "m", m, master);
    checks::optimizer_slot("adamw_step", "v", v, master);
    checks::segments_fit("adamw_step", segments, segment_count, master.elements());
    require(correction1 > 0 && correction2 > 0, "adamw_step: corrections must be above 0, found {} and {}", correction1,
            correction2);
    checks::pointer("adamw_step", "saturated", saturated);
  }
};
MPDIST_KERNEL(adamw_step, AdamwStep);

}  // namespace mpdist::kernels
