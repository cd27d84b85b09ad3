// SPDX-License-Identifier: Apache-2.0
#include "src/optim/ema.hpp"

#include "kernels/ema_update.hpp"
#include "src/core/copy.hpp"
#include "src/optim/flat_array.hpp"
#include "src/optim/fp32_range.hpp"

namespace mpdist::optim {

Ema::Ema(const ParameterStore& store, double decay)
    : store_(store),
      decay_(static_cast<float>(decay)),
      average_(store.master().shape(), DType::fp32, MemoryKind::optimizer, store.pool()) {
  require(decay > 0 && decay < 1, "moving average: expected a decay in (0, 1), found {}", decay);
  check_decay("optimizer.ema_decay", decay);
  const Stream stream(store.pool());
  copy(stream, store.master(), average_);
  stream.synchronize();
}

void Ema::update(Stream& stream) {
  kernels::ema_update(
      stream, {.average = trainable(store_, average_), .value = trainable(store_, store_.master()), .decay = decay_});
}

}  // namespace mpdist::optim
