// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw_step.hpp"

#include "kernels/cuda/adam.cuh"

namespace mpdist::kernels::cuda {

template <class Wire, class Working>
struct AdamwUpdate {
  Adam<Wire> adam;
  Working* working;
  float lr;

  __device__ float rate(const OptimizerSegment& segment, std::int64_t) const { return lr * segment.lr_scale; }

  template <int N>
  __device__ void update(const OptimizerSegment& segment, float rate, std::int64_t i, Lanes<N> lanes,
                         unsigned& saturated) const {
    Floats<N> w = load(adam.master + i, lanes);
    const Floats<N> updates = adam.advance(segment, i, w, lanes);
#pragma unroll
    for (int k = 0; k < N; ++k) w[k] = w[k] - rate * updates[k];
    store_masters(adam.master + i, working + i, w, saturated, lanes);
  }
};

void adamw_step(Stream& stream, const AdamwStep& a) {
  with_optimizer_types(a.gradient, a.working, [&]<class Wire, class Working>(Wire, Working) {
    const AdamwUpdate<Wire, Working> step = {
        .adam = Adam<Wire>::of(a), .working = working_or_master<Working>(a.working, a.master), .lr = a.lr};
    run_step(stream, "adamw_step", a, step, step.adam.takes_packs() && take_step_packs(step.working));
  });
}

}  // namespace mpdist::kernels::cuda
