// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cpu/optimizer.hpp"

/// What AdamwStep and LambStep compute alike: moments, and the update before the rate.
namespace mpdist::kernels::cpu {

template <class Wire, class Working>
struct AdamArrays {
  float *master, *m, *v;
  const Wire* gradient;
  Working* working;
  template <class Step>
  explicit AdamArrays(const Step& a)
      : master(a.master.template data<float>()),
        m(a.m.template data<float>()),
        v(a.v.template data<float>()),
        gradient(a.gradient.template data<Wire>()),
        working(working_or_master<Working>(a.working, a.master)) {}
};

struct AdamMoments {
  F32x16 m, v;
};

/// The formulas of the headers for one segment, constants broadcast.
struct Adam {
  F64x16 unscale;
  F32x16 clip, beta1, rest1, beta2, rest2, inverse1, inverse2, eps, coupled, decoupled;

  template <class Step>
  Adam(const Step& a, const OptimizerSegment& segment)
      : unscale(broadcast64(a.unscale)),
        clip(broadcast(a.clip)),
        beta1(broadcast(a.beta1)),
        rest1(broadcast(1.0F - a.beta1)),
        beta2(broadcast(a.beta2)),
        rest2(broadcast(1.0F - a.beta2)),
        inverse1(broadcast(static_cast<float>(1.0 / a.correction1))),
        inverse2(broadcast(static_cast<float>(1.0 / a.correction2))),
        eps(broadcast(a.eps)),
        coupled(broadcast(a.decoupled ? 0.0F : segment.decay)),
        decoupled(broadcast(a.decoupled ? segment.decay : 0.0F)) {}

  /// Advances the moments at element i and stores them.
  template <class Wire, class Working, class Lanes>
  AdamMoments advance(const AdamArrays<Wire, Working>& p, std::int64_t i, F32x16 master, Lanes lanes) const {
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    const AdamMoments next = {beta1 * load(p.m + i, lanes) + rest1 * g, beta2 * load(p.v + i, lanes) + rest2 * g * g};
    store(p.m + i, next.m, lanes);
    store(p.v + i, next.v, lanes);
    return next;
  }

  /// m/c1 / (sqrt(v/c2) + eps) (+ decay * master when decoupled)
  F32x16 update(const AdamMoments& at, F32x16 master) const {
    return at.m * inverse1 / (sqrt(at.v * inverse2) + eps) + decoupled * master;
  }
};

}  // namespace mpdist::kernels::cpu
