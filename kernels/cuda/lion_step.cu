// SPDX-License-Identifier: Apache-2.0
#include "kernels/lion_step.hpp"

#include "kernels/cuda/optimizer.cuh"

namespace mpdist::kernels::cuda {

template <class Wire, class Working>
struct LionUpdate {
  float *master, *m;
  const Wire* gradient;
  Working* working;
  double unscale;
  float clip, lr, beta1, rest1, beta2, rest2;
  bool decoupled;

  __device__ float rate(const OptimizerSegment& segment, std::int64_t) const { return lr * segment.lr_scale; }

  /// -1, 0 or 1; 0 of NaN.
  __device__ static float sign(float a) { return fabsf(a) > 0.0F ? copysignf(1.0F, a) : 0.0F; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    const float coupled = decoupled ? 0.0F : segment.decay, apart = decoupled ? segment.decay : 0.0F;
    const Floats<N> gradients = load(gradient + i, lanes);
    Floats<N> w = load(master + i, lanes), average = load(m + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = unscaled(gradients[k], unscale, clip) + coupled * w[k];
      const float update = sign(beta1 * average[k] + rest1 * g);
      average[k] = beta2 * average[k] + rest2 * g;
      w[k] = w[k] - rate * (update + apart * w[k]);
    }
    store(m + i, average, lanes);
    store_masters(master + i, working + i, w, saturated, lanes);
  }
};

void lion_step(Stream& stream, const LionStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const LionUpdate<Wire, Working> step = {.master = a.master.data<float>(),
                                            .m = a.m.data<float>(),
                                            .gradient = a.gradient.data<Wire>(),
                                            .working = working_or_master<Working>(a.working, a.master),
                                            .unscale = a.unscale,
                                            .clip = a.clip,
                                            .lr = a.lr,
                                            .beta1 = a.beta1,
                                            .rest1 = 1.0F - a.beta1,
                                            .beta2 = a.beta2,
                                            .rest2 = 1.0F - a.beta2,
                                            .decoupled = a.decoupled};
    run_step(stream, "lion_step", a, step, take_step_packs(step.master, step.m, step.gradient, step.working));
  });
}

}  // namespace mpdist::kernels::cuda
