// SPDX-License-Identifier: Apache-2.0
#include "kernels/lars_step.hpp"

#include <cmath>

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float *master, *momentum;
  const Wire* gradient;
  Working* working;
};

template <class Wire, class Working>
double trust_ratio(const LarsStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  if (!segment.adapted) return 1;
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  SumOfSquares masters, gradients;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    masters.add(load(p.master + i, lanes), lanes);
    gradients.add(unscaled_gradient(p.gradient + i, unscale, clip, lanes), lanes);
  });
  const double master = std::sqrt(masters.total()), gradient = std::sqrt(gradients.total());
  if (master == 0 || gradient == 0) return 1;
  return static_cast<double>(a.eta) * master / (gradient + static_cast<double>(segment.decay) * master);
}

template <bool kMomentum, class Wire, class Working>
std::int64_t step_segment(const LarsStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 rate = broadcast(adapted_rate(a.lr, segment, trust_ratio(a, p, segment)));
  const F32x16 mu = broadcast(a.mu), decay = broadcast(segment.decay);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + decay * master;
    F32x16 update = rate * g;
    if constexpr (kMomentum) {
      update = mu * load(p.momentum + i, lanes) + update;
      store(p.momentum + i, update, lanes);
    }
    store_master(p.master + i, p.working + i, master - update, saturated, lanes);
  });
  return saturated;
}

}  // namespace

void lars_step(Stream&, const LarsStep& a) {
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
