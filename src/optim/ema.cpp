// SPDX-License-Identifier: Apache-2.0
#include "src/optim/ema.hpp"

#include <cstring>

#include "kernels/ema_update.hpp"

namespace mpdist::optim {

Ema::Ema(const ParameterStore& store, double decay)
    : store_(store),
      decay_(static_cast<float>(decay)),
      average_(store.master().shape(), DType::fp32, MemoryKind::optimizer) {
  require(decay > 0 && decay < 1, "moving average: expected a decay in (0, 1), found {}", decay);
  std::memcpy(average_.raw(), store.master().raw(), average_.bytes());
}

void Ema::update(Stream& stream) {
  kernels::ema_update(stream, {.average = average_, .value = store_.master(), .decay = decay_});
}

}  // namespace mpdist::optim
