// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "src/train/evaluator.hpp"
#include "src/train/state.hpp"

namespace mpdist::checkpoint {
struct Loaded;
}

namespace mpdist::train {

/// A checkpoint that is in place.
struct Saved {
  std::int64_t step = 0, attempted = 0;
  std::string path;
};

/// When checkpoints are written, and from which one a run goes on. Rank 0 reads and writes; every call is made by all
/// ranks.
class Checkpoints {
 public:
  /// `pool`: of the state's tensors.
  Checkpoints(const Config& config, comm::Communicator& communicator, RunFacts facts, Pool& pool);
  ~Checkpoints();

  /// Restores `state` from what checkpoint.resume names, on all ranks; false when the run starts anew. Damaged files
  /// are named in the log and the one before is taken. Throws a collective UsageError when a fixed key of the config
  /// has changed (unless run.branch) or the data are others, and a collective FormatError when no file is sound.
  bool resume(TrainingState& state, Stream& stream);

  /// Whether this rank's clock asks for a checkpoint (rank 0 alone; the ranks agree on it in the verdict).
  bool due_by_clock() const;
  /// Whether one is due after applied update `step`.
  bool due_at(std::int64_t step) const;

  /// Begins to write `step_<step>.h5` in the background; tensors are copied until wait_copied(). What wrote them has
  /// been waited for. `evaluation`: of this step, where there is one, for `best`.
  void save(const TrainingState& state, const std::optional<Evaluation>& evaluation);
  /// Before the state changes.
  void wait_copied();
  /// The save that has come to rest since the last call, once; nothing while it runs (with `wait` it is waited for),
  /// after a failed one (one line in the log) and on other ranks than 0.
  std::optional<Saved> take_saved(bool wait = false);
  /// Waits for the file of the last save; its failure is a collective Error(retry).
  std::optional<Saved> finish();

  /// The file that the run goes on from; empty for a new run. Known on rank 0.
  const std::string& resumed_from() const { return resumed_from_; }
  std::string path(std::int64_t step) const;  ///< of the checkpoint of applied update `step`
  /// Whether the last save begun holds exactly this state.
  bool holds(const TrainingState& state) const {
    return saved_step_ == state.step && saved_attempted_ == state.attempted;
  }

 private:
  struct Files;
  void load_named();
  std::optional<Saved> settle();
  bool restore_on_root(TrainingState& state, Stream& stream);
  void refuse_changes(const checkpoint::Loaded& loaded) const;

  const Config& config_;
  comm::Communicator& communicator_;
  RunFacts facts_;
  std::unique_ptr<checkpoint::Loaded> named_;  ///< what checkpoint.resume names, until it is restored; rank 0 only
  std::unique_ptr<Files> files_;               ///< rank 0 only
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::string resumed_from_;
  std::int64_t saved_step_ = -1, saved_attempted_ = -1;
};

}  // namespace mpdist::train
