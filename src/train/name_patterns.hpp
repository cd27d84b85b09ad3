// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// Freezes the parameters that the patterns of model.freeze match, before the store is finalized. UsageError for a
/// pattern that matches none (the nearest name or pattern is told), and when nothing is left to train.
void freeze(const std::vector<std::string>& patterns, ParameterStore& store);

/// UsageError when an element of optimizer.groups decides no parameter of the model: its pattern matches none, or
/// each that it matches is frozen or belongs to an earlier group.
void check_groups(const optim::OptimizerOptions& options, const ParameterStore& store);

}  // namespace mpdist::train
