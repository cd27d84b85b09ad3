// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "sgd".
struct SgdOptions : Options {
  double momentum = 0.9;
  bool nesterov = false;
  void describe(Schema& schema) override;
};

/// Stochastic gradient descent with momentum (kernels/sgd_step.hpp). Slot: momentum, unless momentum is 0. The store
/// outlives the optimizer. Throws UsageError for Nesterov without momentum.
std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options, const OptimizerOptions& common, ParameterStore& store);

}  // namespace mpdist::optim
