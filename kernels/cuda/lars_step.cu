// SPDX-License-Identifier: Apache-2.0
#include "kernels/lars_step.hpp"

#include "kernels/cuda/trust.cuh"

namespace mpdist::kernels::cuda {

/// Sums the squares of the masters and of the gradients.
template <class Wire>
struct LarsNorms {
  const float* master;
  const Wire* gradient;
  double unscale;
  float clip, eta;

  __device__ bool skips(const OptimizerSegment& segment) const { return !segment.adapted; }

  template <int N>
  __device__ void add(const OptimizerSegment&, std::int64_t i, Lanes<N> lanes, Squares& sums) const {
    const Floats<N> w = load(master + i, lanes), gradients = load(gradient + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      sums.master += square(w[k]);
      sums.other += square(unscaled(gradients[k], unscale, clip));
    }
  }
  __device__ double trust(const OptimizerSegment& segment, double weights, double gradients) const {
    return static_cast<double>(eta) * weights / (gradients + static_cast<double>(segment.decay) * weights);
  }
};

template <class Wire, class Working>
struct LarsUpdate {
  float *master, *momentum;  ///< momentum is null when mu is 0
  const Wire* gradient;
  Working* working;
  double unscale;
  float clip, mu;
  const float* rates = nullptr;

  __device__ float rate(const OptimizerSegment&, std::int64_t place) const { return rates[place]; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    const Floats<N> gradients = load(gradient + i, lanes);
    Floats<N> w = load(master + i, lanes), carried;
    if (momentum) carried = load(momentum + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = unscaled(gradients[k], unscale, clip) + segment.decay * w[k];
      float update = rate * g;
      if (momentum) update = carried[k] = mu * carried[k] + update;
      w[k] = w[k] - update;
    }
    if (momentum) store(momentum + i, carried, lanes);
    store_masters(master + i, working + i, w, saturated, lanes);
  }
};

void lars_step(Stream& stream, const LarsStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const LarsUpdate<Wire, Working> step = {.master = a.master.data<float>(),
                                            .momentum = a.mu != 0 ? a.momentum.data<float>() : nullptr,
                                            .gradient = a.gradient.data<Wire>(),
                                            .working = working_or_master<Working>(a.working, a.master),
                                            .unscale = a.unscale,
                                            .clip = a.clip,
                                            .mu = a.mu};
    const LarsNorms<Wire> norms = {
        .master = step.master, .gradient = step.gradient, .unscale = a.unscale, .clip = a.clip, .eta = a.eta};
    run_adapted_step(stream, "lars_step", a, norms, step,
                     take_step_packs(step.master, step.momentum, step.gradient, step.working));
  });
}

}  // namespace mpdist::kernels::cuda
