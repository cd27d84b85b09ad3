// SPDX-License-Identifier: Apache-2.0
#include "kernels/lamb_step.hpp"

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/trust.cuh"

namespace mpdist::kernels::cuda {

/// Advances the moments, and sums the squares of the masters and of the updates.
template <class Wire>
struct LambNorms {
  Adam<Wire> adam;

  __device__ bool skips(const OptimizerSegment&) const { return false; }

  template <int N>
  __device__ void add(const OptimizerSegment& segment, std::int64_t i, Lanes<N> lanes, Squares& sums) const {
    const Floats<N> w = load(adam.master + i, lanes);
    const Floats<N> updates = adam.advance(segment, i, w, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      sums.master += square(w[k]);
      sums.other += square(updates[k]);
    }
  }
  __device__ double trust(const OptimizerSegment&, double master, double update) const {
    return master / update;
  }
};

/// Forms the updates again from the moments.
template <class Wire, class Working>
struct LambUpdate {
  Adam<Wire> adam;
  Working* working;
  const float* rates = nullptr;

  __device__ float rate(const OptimizerSegment&, std::int64_t place) const { return rates[place]; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    const Floats<N> m = load(adam.m + i, lanes), v = load(adam.v + i, lanes);
    Floats<N> w = load(adam.master + i, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) w[k] = w[k] - rate * adam.update(segment, m[k], v[k], w[k]);
    store_masters(adam.master + i, working + i, w, saturated, lanes);
  }
};

void lamb_step(Stream& stream, const LambStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const LambNorms<Wire> norms = {.adam = Adam<Wire>::of(a)};
    const LambUpdate<Wire, Working> step = {.adam = norms.adam,
                                            .working = working_or_master<Working>(a.working, a.master)};
    run_adapted_step(stream, "lamb_step", a, norms, step, norms.adam.takes_packs() && take_step_packs(step.working));
  });
}

}  // namespace mpdist::kernels::cuda
