// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "comm/communicator.hpp"
#include "src/train/faults.hpp"
#include "src/train/shard_pass.hpp"

namespace mpdist::train {

/// Why a step was skipped: where the first non-finite value arose.
struct Diagnosis {
  std::string where;   ///< "forward", "backward" or "sum"
  std::string tensor;  ///< parameter, empty in forward
  std::string layer;
  std::string host;         ///< empty in the sum
  std::int64_t rank = -1;   ///< -1 in the sum
  std::int64_t shard = -1;  ///< -1 in the sum
  std::string text;         ///< one line for people
};

/// Replays the step of `batch` on every rank with a probe after each operation and names the first non-finite
/// activation or activation gradient over all ranks, by (place in the pass, shard). Collective; changes nothing.
Diagnosis replay_diagnosis(const ShardPass& pass, const data::Batch& batch, double gradient_scale, FaultPlan& faults,
                           comm::Communicator& communicator);

}  // namespace mpdist::train
