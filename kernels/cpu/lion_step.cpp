// SPDX-License-Identifier: Apache-2.0
#include "kernels/lion_step.hpp"

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float *master, *m;
  const Wire* gradient;
  Working* working;
};

/// -1, 0 or 1.
F32x16 sign(F32x16 a) {
  return select(greater(abs(a), broadcast(0.0F)), copy_sign(broadcast(1.0F), a), broadcast(0.0F));
}

template <class Wire, class Working>
std::int64_t step_segment(const LionStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 lr = broadcast(a.lr * segment.lr_scale);
  const F32x16 beta1 = broadcast(a.beta1), rest1 = broadcast(1.0F - a.beta1);
  const F32x16 beta2 = broadcast(a.beta2), rest2 = broadcast(1.0F - a.beta2);
  const F32x16 coupled = broadcast(a.decoupled ? 0.0F : segment.decay);
  const F32x16 decoupled = broadcast(a.decoupled ? segment.decay : 0.0F);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes), m = load(p.m + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    const F32x16 update = sign(beta1 * m + rest1 * g);
    store(p.m + i, beta2 * m + rest2 * g, lanes);
    store_master(p.master + i, p.working + i, master - lr * (update + decoupled * master), saturated, lanes);
  });
  return saturated;
}

}  // namespace

void lion_step(Stream&, const LionStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const Arrays<Wire, Working> arrays = {a.master.data<float>(), a.m.data<float>(), a.gradient.data<Wire>(),
                                          working_or_master<Working>(a.working, a.master)};
    for (std::int64_t s = 0; s < a.segment_count; ++s) saturated += step_segment(a, arrays, a.segments[s]);
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
