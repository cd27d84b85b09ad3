// SPDX-License-Identifier: Apache-2.0
#include "kernels/rmsprop_step.hpp"

#include "kernels/cpu/optimizer.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire, class Working>
struct Arrays {
  float *master, *square, *mean, *momentum;
  const Wire* gradient;
  Working* working;
};

template <bool kMomentum, bool kCentered, class Wire, class Working>
std::int64_t step_segment(const RmspropStep& a, const Arrays<Wire, Working>& p, const OptimizerSegment& segment) {
  const F64x16 unscale = broadcast64(a.unscale);
  const F32x16 clip = broadcast(a.clip);
  const F32x16 lr = broadcast(a.lr * segment.lr_scale);
  const F32x16 alpha = broadcast(a.alpha), rest = broadcast(1.0F - a.alpha);
  const F32x16 mu = broadcast(a.mu), eps = broadcast(a.eps);
  const F32x16 coupled = broadcast(a.decoupled ? 0.0F : segment.decay);
  const F32x16 decoupled = broadcast(a.decoupled ? segment.decay : 0.0F);
  std::int64_t saturated = 0;
  for_each_vector(segment.elements, [&](std::int64_t k, auto lanes) {
    const std::int64_t i = segment.offset + k;
    const F32x16 master = load(p.master + i, lanes);
    const F32x16 g = unscaled_gradient(p.gradient + i, unscale, clip, lanes) + coupled * master;
    const F32x16 square = alpha * load(p.square + i, lanes) + rest * g * g;
    store(p.square + i, square, lanes);
    F32x16 variance = square;
    if constexpr (kCentered) {
      const F32x16 mean = alpha * load(p.mean + i, lanes) + rest * g;
      store(p.mean + i, mean, lanes);
      variance = max(square - mean * mean, broadcast(0.0F));  // rounding may leave it below 0
    }
    F32x16 update = g / (sqrt(variance) + eps);
    if constexpr (kMomentum) {
      update = mu * load(p.momentum + i, lanes) + update;
      store(p.momentum + i, update, lanes);
    }
    store_master(p.master + i, p.working + i, master - lr * (update + decoupled * master), saturated, lanes);
  });
  return saturated;
}

}  // namespace

void rmsprop_step(Stream&, const RmspropStep& a) {
  std::int64_t saturated = 0;
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const Arrays<Wire, Working> arrays = {a.master.data<float>(),  a.square.data<float>(),
                                          data_or_null(a.mean),    data_or_null(a.momentum),
                                          a.gradient.data<Wire>(), working_or_master<Working>(a.working, a.master)};
    for (std::int64_t s = 0; s < a.segment_count; ++s) {
      const auto step = [&](auto momentum, auto centered) {
        return step_segment<momentum.value, centered.value>(a, arrays, a.segments[s]);
      };
      using No = std::false_type;
      using Yes = std::true_type;
      if (a.centered) {
        saturated += a.mu != 0 ? step(Yes{}, Yes{}) : step(No{}, Yes{});
      } else {
        saturated += a.mu != 0 ? step(Yes{}, No{}) : step(No{}, No{});
      }
    }
  });
  *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
