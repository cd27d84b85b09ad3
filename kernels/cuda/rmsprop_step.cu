// SPDX-License-Identifier: Apache-2.0
#include "kernels/rmsprop_step.hpp"

#include "kernels/cuda/optimizer.cuh"

namespace mpdist::kernels::cuda {

template <class Wire, class Working>
struct RmspropUpdate {
  float *master, *square, *mean, *momentum;  ///< mean is null unless centered, momentum when mu is 0
  const Wire* gradient;
  Working* working;
  double unscale;
  float clip, lr, alpha, rest, mu, eps;
  bool decoupled;

  __device__ float rate(const OptimizerSegment& segment, std::int64_t) const { return lr * segment.lr_scale; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    const float coupled = decoupled ? 0.0F : segment.decay, apart = decoupled ? segment.decay : 0.0F;
    const Floats<N> gradients = load(gradient + i, lanes);
    Floats<N> w = load(master + i, lanes), squares = load(square + i, lanes), means, carried;
    if (mean) means = load(mean + i, lanes);
    if (momentum) carried = load(momentum + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = unscaled(gradients[k], unscale, clip) + coupled * w[k];
      squares[k] = alpha * squares[k] + rest * g * g;
      float variance = squares[k];
      if (mean) {
        means[k] = alpha * means[k] + rest * g;
        const float spread = squares[k] - means[k] * means[k];
        variance = spread > 0.0F ? spread : 0.0F;  // rounding may leave it below 0
      }
      float update = g / (sqrtf(variance) + eps);
      if (momentum) update = carried[k] = mu * carried[k] + update;
      w[k] = w[k] - rate * (update + apart * w[k]);
    }
    store(square + i, squares, lanes);
    if (mean) store(mean + i, means, lanes);
    if (momentum) store(momentum + i, carried, lanes);
    store_masters(master + i, working + i, w, saturated, lanes);
  }
};

void rmsprop_step(Stream& stream, const RmspropStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const RmspropUpdate<Wire, Working> step = {.master = a.master.data<float>(),
                                               .square = a.square.data<float>(),
                                               .mean = a.centered ? a.mean.data<float>() : nullptr,
                                               .momentum = a.mu != 0 ? a.momentum.data<float>() : nullptr,
                                               .gradient = a.gradient.data<Wire>(),
                                               .working = working_or_master<Working>(a.working, a.master),
                                               .unscale = a.unscale,
                                               .clip = a.clip,
                                               .lr = a.lr,
                                               .alpha = a.alpha,
                                               .rest = 1.0F - a.alpha,
                                               .mu = a.mu,
                                               .eps = a.eps,
                                               .decoupled = a.decoupled};
    run_step(stream, "rmsprop_step", a, step,
             take_step_packs(step.master, step.square, step.mean, step.momentum, step.gradient, step.working));
  });
}

}  // namespace mpdist::kernels::cuda
