// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels {

/// g = round(unscale * gradient) * clip (+ decay * master when coupled)
///
/// square = alpha*square + (1-alpha)*g*g
///
/// spread = sqrt(square) + eps;  centered, with mean = alpha*mean + (1-alpha)*g:
///
/// spread = sqrt(max(square - mean*mean, 0)) + eps
///
/// update = g / spread;  with mu: momentum = mu*momentum + update, update = momentum
///
/// master -= lr * (update + decay*master when decoupled)
///
/// working = master rounded to the compute type; finite masters beyond its range saturate and are counted.
///
/// lr and decay are per segment: lr * segment.lr_scale. Source: Tieleman & Hinton 2012, lecture 6.5; centered, Graves
/// 2013, equations 38 to 41; eps and momentum as PyTorch's.
struct RmspropStep {
  Tensor master;       ///< [n] FP32, updated in place
  Tensor square;       ///< [n] FP32 average of the squared gradient, updated in place
  Tensor mean;         ///< [n] FP32 average of the gradient, updated in place; empty unless centered
  Tensor momentum;     ///< [n] FP32, updated in place; empty when mu is 0
  Tensor gradient;     ///< [n] wire type, still multiplied by the loss scale
  Tensor working;      ///< [n] compute type; empty (or the master itself) with FP32 compute
  double unscale = 1;  ///< M / (loss scale * loss terms), formed in FP64; each product is rounded once to FP32
  float clip = 1;      ///< min(1, clip_norm / global norm of the unscaled gradient)
  float lr = 0;
  float alpha = 0.99F, mu = 0, eps = 1e-8F;
  bool centered = false;
  bool decoupled = true;                       ///< whether OptimizerSegment::decay is decoupled or coupled
  const OptimizerSegment* segments = nullptr;  ///< [segment_count], cover every parameter
  std::int64_t segment_count = 0;
  std::int64_t* saturated = nullptr;  ///< receives the count of saturated working elements, host memory
  void validate() const {
    checks::optimizer_arrays("rmsprop_step", master, gradient, working);
    checks::optimizer_slot("rmsprop_step", "square", square, master);
    if (centered) checks::optimizer_slot("rmsprop_step", "mean", mean, master);
    if (mu != 0) checks::optimizer_slot("rmsprop_step", "momentum", momentum, master);
    checks::segments_fit("rmsprop_step", segments, segment_count, master.elements());
    checks::pointer("rmsprop_step", "saturated", saturated);
  }
};
MPDIST_KERNEL(rmsprop_step, RmspropStep);

}  // namespace mpdist::kernels
