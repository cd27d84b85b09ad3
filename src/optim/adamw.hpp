// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "adamw".
struct AdamwOptions : Options {
  std::vector<double> betas{0.9, 0.999};  ///< of the first and the second moment
  double eps = 1e-8;
  void describe(Schema& schema) override;
};

/// AdamW (kernels/adamw_step.hpp); with decay = "coupled" it is Adam with L2. Slots: m, v. Bias corrections are formed
/// in FP64 from the number of applied updates. The store outlives the optimizer. Throws UsageError unless betas holds
/// two numbers in [0, 1).
std::unique_ptr<Optimizer> make_adamw(const AdamwOptions& options, const OptimizerOptions& common,
                                      ParameterStore& store);

}  // namespace mpdist::optim
