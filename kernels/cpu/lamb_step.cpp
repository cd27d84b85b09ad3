// SPDX-License-Identifier: Apache-2.0
#include "kernels/lamb_step.hpp"

#include <cmath>

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float *master, *m, *v;
  const Wire* gradient;
  Working* working;
};

/// u of the header, from moments that are already this step's.
struct Update {
  F32x16 inverse1, inverse2, eps, decay;
  Update(const LambStep& a, const OptimizerSegment& segment)
      : inverse1(broadcast(static_cast<float>(1.0 / a.correction1))),
        inverse2(broadcast(static_cast<float>(1.0 / a.correction2))),
        eps(broadcast(a.eps)),
        decay(broadcast(a.decoupled ? segment.decay : 0.0F)) {}
  F32x16 operator()(F32x16 m, F32x16 v, F32x16 master) const {
    return m * inverse1 / (sqrt(v * inverse2) + eps) + decay * master;
  }
};

/// Advances the moments; returns the trust ratio.
template <class Wire, class Working>
double advance_moments(const LambStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment,
                       const Update& update) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 beta1 = broadcast(a.beta1), rest1 = broadcast(1.0F - a.beta1);
  const F32x16 beta2 = broadcast(a.beta2), rest2 = broadcast(1.0F - a.beta2);
  const F32x16 coupled = broadcast(a.decoupled ? 0.0F : segment.decay);
  SumOfSquares masters, updates;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    const F32x16 m = beta1 * load(p.m + i, lanes) + rest1 * g;
    const F32x16 v = beta2 * load(p.v + i, lanes) + rest2 * g * g;
    store(p.m + i, m, lanes);
    store(p.v + i, v, lanes);
    masters.add(master, lanes);
    updates.add(update(m, v, master), lanes);
  });
  const double master = std::sqrt(masters.total()), step = std::sqrt(updates.total());
  return !segment.adapted || master == 0 || step == 0 ? 1 : master / step;
}

template <class Wire, class Working>
std::int64_t step_segment(const LambStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const Update update(a, segment);
  const F32x16 rate = broadcast(adapted_rate(a.lr, segment, advance_moments(a, p, segment, update)));
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 u = update(load(p.m + i, lanes), load(p.v + i, lanes), master);
    store_master(p.master + i, p.working + i, master - rate * u, saturated, lanes);
  });
  return saturated;
}

}  // namespace

void lamb_step(Stream&, const LambStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const Arrays<Wire, Working> arrays = {a.master.data<float>(), a.m.data<float>(), a.v.data<float>(),
                                          a.gradient.data<Wire>(), working_or_master<Working>(a.working, a.master)};
    for (std::int64_t s = 0; s < a.segment_count; ++s) saturated += step_segment(a, arrays, a.segments[s]);
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
