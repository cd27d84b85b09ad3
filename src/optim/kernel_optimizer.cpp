// SPDX-License-Identifier: Apache-2.0
#include "src/optim/kernel_optimizer.hpp"

#include <utility>

namespace mpdist::optim {

KernelOptimizer::KernelOptimizer(const OptimizerOptions& common, ParameterStore& store)
    : store_(store),
      decoupled_(common.decay == "decoupled"),
      segments_(make_segments(store, common)),
      saturated_(store.pool()) {}

Tensor KernelOptimizer::add_slot(std::string name) {
  Tensor zeros = store_.zeros(store_.trainable_elements(), MemoryKind::optimizer);
  slots_.push_back({std::move(name), zeros});
  return zeros;
}

}  // namespace mpdist::optim
