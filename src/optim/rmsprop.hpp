// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Own keys of [optimizer] with name = "rmsprop".
struct RmspropOptions : Options {
  double alpha = 0.99;  ///< decay of the average of the squared gradient
  double momentum = 0;
  double eps = 1e-8;
  bool centered = false;
  void describe(Schema& schema) override;
};

/// RMSprop (kernels/rmsprop_step.hpp). Slots: square; mean when centered; momentum unless it is 0. The store outlives
/// the optimizer.
std::unique_ptr<Optimizer> make_rmsprop(const RmspropOptions& options, const OptimizerOptions& common,
                                        ParameterStore& store);

}  // namespace mpdist::optim
