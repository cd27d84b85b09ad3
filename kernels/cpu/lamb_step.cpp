// SPDX-License-Identifier: Apache-2.0
#include "kernels/lamb_step.hpp"

#include <cmath>

#include "kernels/cpu/adam.hpp"

namespace mpdist::kernels::cpu {
namespace {

/// Advances the moments; returns the trust ratio.
template <class Wire, class Working>
double advance_moments(const AdamArrays<Wire, Working>& p, const OptimizerSegment& segment, const Adam& adam) {
  SumOfSquares masters, updates;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const AdamMoments moments = adam.advance(p, i, master, lanes);
    masters.add(master, lanes);
    updates.add(adam.update(moments, master), lanes);
  });
  const double master = std::sqrt(masters.total()), step = std::sqrt(updates.total());
  return !segment.adapted || master == 0 || step == 0 ? 1 : master / step;
}

template <class Wire, class Working>
std::int64_t step_segment(const LambStep& a, const AdamArrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const Adam adam(a, segment);
  const F32x16 rate = broadcast(adapted_rate(a.lr, segment, advance_moments(p, segment, adam)));
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 u = adam.update({load(p.m + i, lanes), load(p.v + i, lanes)}, master);
    store_master(p.master + i, p.working + i, master - rate * u, saturated, lanes);
  });
  return saturated;
}

}  // namespace

void lamb_step(Stream&, const LambStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const AdamArrays<Wire, Working> arrays(a);
    for (std::int64_t s = 0; s < a.segment_count; ++s) saturated += step_segment(a, arrays, a.segments[s]);
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
