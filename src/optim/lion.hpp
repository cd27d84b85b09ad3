// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "lion".
struct LionOptions : Options {
  std::vector<double> betas{0.9, 0.99};  ///< of the update, of the average
  void describe(Schema& schema) override;
};

/// Lion (kernels/lion_step.hpp). Slot: m. The store outlives the optimizer. Throws UsageError unless betas holds two
/// numbers in [0, 1).
std::unique_ptr<Optimizer> make_lion(const LionOptions& options, const OptimizerOptions& common, ParameterStore& store);

}  // namespace mpdist::optim
