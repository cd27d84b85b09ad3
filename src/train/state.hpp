// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/checkpoint/checkpoint.hpp"
#include "src/core/parameters.hpp"
#include "src/models/model.hpp"
#include "src/optim/ema.hpp"
#include "src/optim/optimizer.hpp"
#include "src/precision/loss_scaler.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// What training changes: masters, working copy, optimizer slots, average, scaler and counters. Equal on all ranks.
struct TrainingState {
  ParameterStore store;
  std::unique_ptr<models::Model> model;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<optim::Ema> ema;  ///< with optimizer.ema_decay
  precision::LossScaler scaler{precision::LossScalerOptions{}};
  std::int64_t step = 0;       ///< applied updates
  std::int64_t attempted = 0;  ///< batches consumed
  std::int64_t skipped = 0;

  /// Builds model and optimizer for images of one shape and initialises all from run.seed.
  TrainingState(const Config& config, Shape image, std::int64_t classes, Stream& stream);

  /// Writes the working copy from the masters.
  void refresh_working(Stream& stream) const;
};

/// All that a checkpoint keeps of the state, as views under their paths: "master/conv1.weight",
/// "optimizer/momentum/conv1.weight", "ema/...", "statistics/stem.norm.mean".
std::vector<checkpoint::NamedTensor> state_tensors(const TrainingState& state);

/// Views of every parameter in a flat array of the store's layout, under "<folder>/<parameter>"; of those that are not
/// frozen in a gradient or slot.
std::vector<checkpoint::NamedTensor> parameter_views(const ParameterStore& store, const std::string& folder,
                                                     const Tensor& flat);

/// Facts about the run that a checkpoint keeps beside the state.
struct RunFacts {
  std::string config_text;  ///< TOML with all defaults filled in
  std::string versions;     ///< program, libraries, instruction set
  std::int64_t ranks = 1;
  std::int64_t samples = 0;  ///< n
  std::uint64_t data_digest = 0;
};

/// A checkpoint whose tensors are views of the live state: it must be copied before the state changes.
checkpoint::Checkpoint to_checkpoint(const TrainingState& state, const Config& config, const RunFacts& facts);

/// Restores all of it. Throws FormatError naming `file` and what is missing, extra or of another shape.
void from_checkpoint(TrainingState& state, const checkpoint::Checkpoint& checkpoint, const std::string& file,
                     Stream& stream);

/// Collective: everything of the state that rank 0 read goes to the others, whose working copy follows.
void broadcast_state(TrainingState& state, comm::Communicator& communicator, Stream& stream);

}  // namespace mpdist::train
