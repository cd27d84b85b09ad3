// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/optimizer_segment.hpp"

namespace mpdist::kernels {

/// g = round(unscale * gradient) * clip + coupled_decay * master          (coupled decay: L2 in the gradient)
/// momentum = mu * momentum + g;  update = nesterov ? g + mu * momentum : momentum
/// (mu = 0: update = g, no momentum slot)
/// master = master - lr * (update + decoupled_decay * master)             (momentum as PyTorch's, dampening 0)
/// working = master rounded to the compute type; finite masters beyond its range saturate and are counted.
/// lr and decay are per segment: lr * segment.lr_scale.
struct SgdStep {
  Tensor master;       ///< [n] FP32, updated in place
  Tensor momentum;     ///< [n] FP32, updated in place; empty when mu is 0
  Tensor gradient;     ///< [n] wire type, still multiplied by the loss scale
  Tensor working;      ///< [n] compute type; empty (or the master itself) with FP32 compute
  double unscale = 1;  ///< M / (loss scale * loss terms), formed in FP64; each product is rounded once to FP32
  float clip = 1;      ///< min(1, clip_norm / global norm of the unscaled gradient)
  float lr = 0;
  float mu = 0;
  bool nesterov = false;
  bool decoupled = true;                       ///< whether OptimizerSegment::decay is decoupled or coupled
  const OptimizerSegment* segments = nullptr;  ///< [segment_count], cover every parameter
  std::int64_t segment_count = 0;
  std::int64_t* saturated = nullptr;  ///< receives the count of saturated working elements, host memory
  void validate() const {
    checks::optimizer_arrays("sgd_step", master, gradient, working);
    require(mu == 0 || momentum, "sgd_step: mu {} needs a momentum tensor", mu);
    require(!nesterov || mu != 0, "sgd_step: nesterov needs mu above 0");
    if (mu != 0) checks::optimizer_slot("sgd_step", "momentum", momentum, master);
    checks::segments_fit("sgd_step", segments, segment_count, master.elements());
    checks::pointer("sgd_step", "saturated", saturated);
  }
};
MPDIST_KERNEL(sgd_step, SgdStep);

}  // namespace mpdist::kernels
