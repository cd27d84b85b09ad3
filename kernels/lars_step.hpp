// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels {

/// g = round(unscale * gradient) * clip
/// trust = eta * |master| / (|g| + decay*|master|), L2 norms over the segment; 1 where it is not adapted or a norm is 0
/// momentum = mu*momentum + lr * trust * (g + decay*master);  master -= momentum
/// working = master rounded to the compute type; finite masters beyond its range saturate and are counted.
/// lr and decay are per segment: lr * segment.lr_scale. Norms are formed in FP64 in a fixed order, lr * trust is
/// rounded once to FP32. Source: LARS, You et al. 2017, algorithm 1: the rate of a step stays with its share of the
/// momentum.
struct LarsStep {
  Tensor master;       ///< [n] FP32, updated in place
  Tensor momentum;     ///< [n] FP32, updated in place; empty when mu is 0
  Tensor gradient;     ///< [n] wire type, still multiplied by the loss scale
  Tensor working;      ///< [n] compute type; empty (or the master itself) with FP32 compute
  double unscale = 1;  ///< M / (loss scale * loss terms), formed in FP64; each product is rounded once to FP32
  float clip = 1;      ///< min(1, clip_norm / global norm of the unscaled gradient)
  float lr = 0;
  float mu = 0, eta = 1e-3F;                   ///< eta: the trust coefficient
  const OptimizerSegment* segments = nullptr;  ///< [segment_count], cover every parameter
  std::int64_t segment_count = 0;
  std::int64_t* saturated = nullptr;  ///< receives the count of saturated working elements, host memory
  void validate() const {
    checks::optimizer_arrays("lars_step", master, gradient, working);
    if (mu != 0) checks::optimizer_slot("lars_step", "momentum", momentum, master);
    checks::segments_fit("lars_step", segments, segment_count, master.elements());
    checks::pointer("lars_step", "saturated", saturated);
  }
};
MPDIST_KERNEL(lars_step, LarsStep);

}  // namespace mpdist::kernels
