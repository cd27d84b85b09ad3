// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// UsageError when an element of optimizer.groups decides no parameter of the model: its pattern matches none (the
/// nearest name or pattern is told), or each that it matches belongs to an earlier group.
void check_groups(const optim::OptimizerOptions& options, const ParameterStore& store);

}  // namespace mpdist::train
