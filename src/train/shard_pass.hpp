// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "data/loader.hpp"
#include "src/nn/loss.hpp"
#include "src/train/plan.hpp"
#include "src/train/state.hpp"

namespace mpdist::train {

/// Forward and backward of one shard: the part of a step that the ranks do without speaking to each other. Pure: the
/// same batch, state and attempted step give the same bits, so a replay meets what the step met.
struct ShardPass {
  const Config& config;
  const Plan& plan;
  const TrainingState& state;
  Stream& stream;

  /// Shard `local_shard` of this rank. The backward pass is seeded with gradient_scale; each finished FP32 parameter
  /// gradient goes to on_gradient_ready. Leaves the loss in `sums` (nn::LossSums) and returns the batch statistics of
  /// the model's norms, laid out as store.statistics(); empty without norms.
  Tensor run(const data::Batch& batch, std::int64_t local_shard, double gradient_scale, nn::Observer* observer,
             nn::Tape::GradientReady on_gradient_ready, nn::LossSums& sums) const;
};

}  // namespace mpdist::train
