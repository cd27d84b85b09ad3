// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/optimizer.cuh"

/// What AdamwStep and LambStep compute alike: moments, and the update before the rate.
namespace mpdist::kernels::cuda {

template <class Wire>
struct Adam {
  float *master, *m, *v;
  const Wire* gradient;
  double unscale;
  float clip, beta1, rest1, beta2, rest2, inverse1, inverse2, eps;
  bool decoupled;

  template <class Arguments>
  static Adam of(const Arguments& a) {
    return {.master = a.master.template data<float>(),
            .m = a.m.template data<float>(),
            .v = a.v.template data<float>(),
            .gradient = a.gradient.template data<Wire>(),
            .unscale = a.unscale,
            .clip = a.clip,
            .beta1 = a.beta1,
            .rest1 = 1.0F - a.beta1,
            .beta2 = a.beta2,
            .rest2 = 1.0F - a.beta2,
            .inverse1 = static_cast<float>(1.0 / a.correction1),
            .inverse2 = static_cast<float>(1.0 / a.correction2),
            .eps = a.eps,
            .decoupled = a.decoupled};
  }
  bool takes_packs() const { return take_step_packs(master, m, v, gradient); }

  /// m/c1 / (sqrt(v/c2) + eps) (+ decay * master when decoupled)
  __device__ float update(const OptimizerSegment& segment, float m_now, float v_now, float w) const {
    const float apart = decoupled ? segment.decay : 0.0F;
    return m_now * inverse1 / (sqrtf(v_now * inverse2) + eps) + apart * w;
  }

  /// Advances the moments of elements i.. and stores them; returns the updates that follow.
  template <int N>
  __device__ Floats<N> advance(const OptimizerSegment& segment, std::int64_t i, const Floats<N>& w,
                               Lanes<N> lanes) const {
    const float coupled = decoupled ? 0.0F : segment.decay;
    const Floats<N> gradients = load(gradient + i, lanes);
    Floats<N> m_next = load(m + i, lanes), v_next = load(v + i, lanes), updates;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = unscaled(gradients[k], unscale, clip) + coupled * w[k];
      m_next[k] = beta1 * m_next[k] + rest1 * g;
      v_next[k] = beta2 * v_next[k] + rest2 * g * g;
      updates[k] = update(segment, m_next[k], v_next[k], w[k]);
    }
    store(m + i, m_next, lanes);
    store(v + i, v_next, lanes);
    return updates;
  }
};

}  // namespace mpdist::kernels::cuda
