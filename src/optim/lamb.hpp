// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "lamb".
struct LambOptions : Options {
  std::vector<double> betas{0.9, 0.999};  ///< of the first and the second moment
  double eps = 1e-6;
  void describe(Schema& schema) override;
};

/// LAMB (kernels/lamb_step.hpp). Slots: m, v. Norms and biases keep the plain rate. Bias corrections as make_adamw. The
/// store outlives the optimizer. Throws UsageError unless betas holds two numbers in [0, 1).
std::unique_ptr<Optimizer> make_lamb(const LambOptions& options, const OptimizerOptions& common, ParameterStore& store);

}  // namespace mpdist::optim
