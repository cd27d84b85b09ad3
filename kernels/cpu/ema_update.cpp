// SPDX-License-Identifier: Apache-2.0
#include "kernels/ema_update.hpp"

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

void ema_update(Stream&, const EmaUpdate& a) {
  float* average = a.average.data<float>();
  const float* value = a.value.data<float>();
  const F32x16 decay = broadcast(a.decay), rest = broadcast(1.0F - a.decay);
  for_each_vector(a.average.elements(), [&](std::int64_t i, auto lanes) {
    store(average + i, decay * load(average + i, lanes) + rest * load(value + i, lanes), lanes);
  });
}

}  // namespace mpdist::kernels::cpu
