// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "comm/communicator.hpp"
#include "data/augmentation.hpp"
#include "data/dataset.hpp"
#include "src/train/plan.hpp"
#include "src/train/state.hpp"

namespace mpdist::train {

struct Evaluation {
  double loss = 0;      ///< mean over the samples
  double accuracy = 0;  ///< fraction
  std::int64_t samples = 0;
};

/// Evaluates on `dataset`: fixed blocks of one shard's rows in data order, block j whole on rank j mod N, the tail
/// masked; the blocks' sums are added in block order, so the result is the same bits at any number of ranks. Uses the
/// average (EMA) where the run keeps one; the working copy is as before afterwards. Collective.
Evaluation evaluate(const Config& config, const Plan& plan, const TrainingState& state, const data::Dataset& dataset,
                    const data::Augmentation& augmentation, comm::Communicator& communicator, Stream& stream);

}  // namespace mpdist::train
