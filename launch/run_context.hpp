// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>

#include "src/train/device.hpp"
#include "src/train/trainer.hpp"

namespace mpdist::launch {

/// What this process tells the trainer beside the config: stop signals, MPDIST_FAULT, the machine, versions. `device`
/// outlives it.
train::RunContext run_context(std::chrono::steady_clock::time_point started, const train::ComputeDevice& device);

}  // namespace mpdist::launch
