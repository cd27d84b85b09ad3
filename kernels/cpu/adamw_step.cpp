// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw_step.hpp"

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float *master, *m, *v;
  const Wire* gradient;
  Working* working;
};

template <class Wire, class Working>
std::int64_t step_segment(const AdamwStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 lr = broadcast(a.lr * segment.lr_scale);
  const F32x16 beta1 = broadcast(a.beta1), rest1 = broadcast(1.0F - a.beta1);
  const F32x16 beta2 = broadcast(a.beta2), rest2 = broadcast(1.0F - a.beta2);
  const F32x16 inverse1 = broadcast(static_cast<float>(1.0 / a.correction1));
  const F32x16 inverse2 = broadcast(static_cast<float>(1.0 / a.correction2));
  const F32x16 eps = broadcast(a.eps);
  const F32x16 coupled = broadcast(a.decoupled ? 0.0F : segment.decay);
  const F32x16 decoupled = broadcast(a.decoupled ? segment.decay : 0.0F);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    const F32x16 m = beta1 * load(p.m + i, lanes) + rest1 * g;
    const F32x16 v = beta2 * load(p.v + i, lanes) + rest2 * g * g;
    store(p.m + i, m, lanes);
    store(p.v + i, v, lanes);
    const F32x16 update = m * inverse1 / (sqrt(v * inverse2) + eps) + decoupled * master;
    store_master(p.master + i, p.working + i, master - lr * update, saturated, lanes);
  });
  return saturated;
}

}  // namespace

void adamw_step(Stream&, const AdamwStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const Arrays<Wire, Working> arrays = {a.master.data<float>(), a.m.data<float>(), a.v.data<float>(),
                                          a.gradient.data<Wire>(), working_or_master<Working>(a.working, a.master)};
    for (std::int64_t s = 0; s < a.segment_count; ++s) saturated += step_segment(a, arrays, a.segments[s]);
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
