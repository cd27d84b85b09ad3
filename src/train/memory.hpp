// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include "data/augmentation.hpp"
#include "data/dataset.hpp"
#include "src/core/pool.hpp"
#include "src/train/plan.hpp"
#include "src/train/state.hpp"

namespace mpdist::train {

/// Peak memory of the busiest rank (rank 0: it writes checkpoints) by kind, as the `peak_bytes` of the run's end.
struct MemoryForecast {
  std::array<std::int64_t, kMemoryKinds> peak{};
  std::int64_t total() const;
};

/// Forecasts a run of plan.ranks ranks on one node by rehearsing its parts at full size: one shard forward, backward
/// and update, one block of evaluation. What a step repeats or other ranks add is counted: batches made ahead, pending
/// gradient arrays, the copy of a checkpoint. Call it in a fresh process, once `state` and `datasets` are made: the
/// pool's peaks so far count. Changes `state`: the update is a real one.
MemoryForecast forecast_memory(const Config& config, const Plan& plan, TrainingState& state,
                               const data::Datasets& datasets, const data::Augmentation& augmentation, Stream& stream);

}  // namespace mpdist::train
