// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/train/state.hpp"

namespace mpdist::train {

/// What model.init came to.
struct InitialWeights {
  std::string path;
  std::int64_t step = 0;           ///< of the run that wrote it
  std::int64_t taken = 0;          ///< masters and statistics
  std::vector<std::string> fresh;  ///< parameters and statistics that keep their initial values: model.init_skip
  std::string text() const;        ///< one line
};

/// Whether the run starts from model.init: the key is set, and there is nothing that it would resume from.
bool starts_from_init(const Config& config);

/// Reads masters and running statistics of the checkpoint `model.init` into a new state; the average starts from them.
/// What a pattern of model.init_skip matches keeps its fresh value, and may be missing or extra in the file. UsageError
/// in one line when there is no such file, tensors are missing, extra or of other shapes, or a pattern matches nothing;
/// FormatError for a damaged file.
InitialWeights read_initial_weights(TrainingState& state, const Config& config, Stream& stream);

/// Collective: the weights that a new run starts from, on all ranks; rank 0 reads. Nothing happens unless
/// starts_from_init on rank 0.
void take_initial_weights(TrainingState& state, const Config& config, comm::Communicator& communicator, Stream& stream);

}  // namespace mpdist::train
