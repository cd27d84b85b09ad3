// SPDX-License-Identifier: Apache-2.0
#include "kernels/ema_update.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace mpdist::kernels::cuda {

struct EmaElement {
  static constexpr bool kCounts = false;
  float decay, rest;
  __device__ float operator()(float average, float value, unsigned&) const { return decay * average + rest * value; }
};

void ema_update(Stream& stream, const EmaUpdate& a) {
  float* average = a.average.data<float>();
  const EmaElement element = {.decay = a.decay, .rest = 1.0F - a.decay};
  elementwise<EmaElement, float, float, float>(stream, "ema_update", a.average.elements(), element, nullptr, average,
                                               average, a.value.data<float>());
}

}  // namespace mpdist::kernels::cuda
