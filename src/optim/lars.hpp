// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "lars".
struct LarsOptions : Options {
  double momentum = 0.9;
  double trust = 0.001;  ///< eta of the paper
  void describe(Schema& schema) override;
};

/// LARS (kernels/lars_step.hpp). Slot: momentum, unless momentum is 0. Norms and biases keep the plain rate. The store
/// outlives the optimizer. Throws UsageError for decoupled weight decay: the decay is part of the trust ratio.
std::unique_ptr<Optimizer> make_lars(const LarsOptions& options, const OptimizerOptions& common, ParameterStore& store);

}  // namespace mpdist::optim
