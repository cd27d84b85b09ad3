// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw_step.hpp"

#include "kernels/cpu/adam.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
std::int64_t step_segment(const AdamwStep& a, const AdamArrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const Adam adam(a, segment);
  const F32x16 lr = broadcast(a.lr * segment.lr_scale);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 update = adam.update(adam.advance(p, i, master, lanes), master);
    store_master(p.master + i, p.working + i, master - lr * update, saturated, lanes);
  });
  return saturated;
}

}  // namespace

void adamw_step(Stream&, const AdamwStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const AdamArrays<Wire, Working> arrays(a);
    for (std::int64_t s = 0; s < a.segment_count; ++s) saturated += step_segment(a, arrays, a.segments[s]);
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
