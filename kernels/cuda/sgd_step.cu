// SPDX-License-Identifier: Apache-2.0
#include "kernels/sgd_step.hpp"

#include "kernels/cuda/optimizer.cuh"

namespace mpdist::kernels::cuda {

template <class Wire, class Working>
struct SgdUpdate {
  float *master, *momentum;  ///< momentum is null when mu is 0
  const Wire* gradient;
  Working* working;
  double unscale;
  float clip, lr, mu;
  bool nesterov, decoupled;

  __device__ float rate(const OptimizerSegment& segment, std::int64_t) const { return lr * segment.lr_scale; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    const float coupled = decoupled ? 0.0F : segment.decay, apart = decoupled ? segment.decay : 0.0F;
    const Floats<N> gradients = load(gradient + i, lanes);
    Floats<N> w = load(master + i, lanes), carried;
    if (momentum) carried = load(momentum + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = unscaled(gradients[k], unscale, clip) + coupled * w[k];
      float update = g;
      if (momentum) {
        carried[k] = mu * carried[k] + g;
        update = nesterov ? g + mu * carried[k] : carried[k];
      }
      w[k] = w[k] - rate * (update + apart * w[k]);
    }
    if (momentum) store(momentum + i, carried, lanes);
    store_masters(master + i, working + i, w, saturated, lanes);
  }
};

void sgd_step(Stream& stream, const SgdStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const SgdUpdate<Wire, Working> step = {.master = a.master.data<float>(),
                                           .momentum = a.mu != 0 ? a.momentum.data<float>() : nullptr,
                                           .gradient = a.gradient.data<Wire>(),
                                           .working = working_or_master<Working>(a.working, a.master),
                                           .unscale = a.unscale,
                                           .clip = a.clip,
                                           .lr = a.lr,
                                           .mu = a.mu,
                                           .nesterov = a.nesterov,
                                           .decoupled = a.decoupled};
    run_step(stream, "sgd_step", a, step, take_step_packs(step.master, step.momentum, step.gradient, step.working));
  });
}

}  // namespace mpdist::kernels::cuda
