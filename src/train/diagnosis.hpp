// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "comm/communicator.hpp"
#include "src/train/faults.hpp"
#include "src/train/shard_pass.hpp"

namespace mpdist::train {

/// Replays the step of `batch` on every rank with a probe after each operation and names the first non-finite
/// activation or activation gradient over all ranks, by (forward before backward, operation, shard): "forward: layer
/// conv2 (conv2d), rank 1 (host), shard 2". Empty when everything was finite. Collective; changes nothing.
std::string replay_diagnosis(const ShardPass& pass, const data::Batch& batch, double gradient_scale, FaultPlan& faults,
                             comm::Communicator& communicator);

}  // namespace mpdist::train
