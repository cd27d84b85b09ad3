// SPDX-License-Identifier: Apache-2.0
#include "kernels/sgd_step.hpp"

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float* master;
  float* momentum;
  const Wire* gradient;
  Working* working;
};

template <bool kMomentum, class Wire, class Working>
std::int64_t step_segment(const SgdStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 lr = broadcast(a.lr * segment.lr_scale);
  const F32x16 mu = broadcast(a.mu);
  const F32x16 coupled = broadcast(a.decoupled ? 0.0F : segment.decay);
  const F32x16 decoupled = broadcast(a.decoupled ? segment.decay : 0.0F);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    F32x16 update = g;
    if constexpr (kMomentum) {
      const F32x16 momentum = mu * load(p.momentum + i, lanes) + g;
      store(p.momentum + i, momentum, lanes);
      update = a.nesterov ? g + mu * momentum : momentum;
    }
    store_master(p.master + i, p.working + i, master - lr * (update + decoupled * master), saturated, lanes);
  });
  return saturated;
}

}  // namespace

void sgd_step(Stream&, const SgdStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const Arrays<Wire, Working> arrays = {a.master.data<float>(), data_or_null(a.momentum), a.gradient.data<Wire>(),
                                          working_or_master<Working>(a.working, a.master)};
    for (std::int64_t s = 0; s < a.segment_count; ++s) {
      saturated +=
          a.mu != 0 ? step_segment<true>(a, arrays, a.segments[s]) : step_segment<false>(a, arrays, a.segments[s]);
    }
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
