// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "src/train/checkpoints.hpp"
#include "src/train/evaluator.hpp"
#include "src/train/plan.hpp"
#include "src/train/reporter.hpp"
#include "src/train/state.hpp"
#include "src/train/step.hpp"
#include "src/train/trainer.hpp"

namespace mpdist::train {

/// Turns what the trainer does into records for the reporters of rank 0: console and metrics.jsonl. All ranks call
/// alike; what belongs to each rank is gathered on logged steps.
class RunLog {
 public:
  RunLog(const Config& config, const Plan& plan, comm::Communicator& communicator, const RunContext& context);
  ~RunLog();

  /// Whether metrics.jsonl tells that the run came to its end at this state, which a kill may have prevented.
  bool tells_of_end(const TrainingState& state) const;
  /// Opens the output directory's files: config.toml, manifest.json, metrics.jsonl (cut after the state's step).
  void start(const TrainingState& state, const std::string& resumed_from, const data::Datasets& datasets);
  /// `data_wait_s`: what this rank has waited for batches since the start (Loader::wait_s).
  void step(const StepReport& report, const StepRunner& runner, const TrainingState& state, double data_wait_s);
  void evaluation(const Evaluation& evaluation, const TrainingState& state);
  void checkpoint(const std::optional<Saved>& saved);  ///< in place; nothing happens without one
  /// Why the run ends: "done", "stopped" or, when the numerics cannot go on, "diverged". Its time counts from start().
  void end(const TrainingState& state, const std::string& reason);

 private:
  using Clock = std::chrono::steady_clock;
  void open_files(const TrainingState& state, const std::vector<std::string>& devices);
  void overflow(const StepReport& report);
  void telemetry(const StepReport& report);
  std::string transport() const;
  void point_out_idle_cpus() const;

  const Config& config_;
  const Plan& plan_;
  comm::Communicator& communicator_;
  const RunContext& context_;
  std::vector<std::unique_ptr<Reporter>> reporters_;  ///< rank 0 only
  Clock::time_point started_ = Clock::now(), last_record_ = started_;
  std::int64_t steps_since_record_ = 0;
  std::int64_t bytes_before_ = 0;      ///< sent up to the step before
  double data_wait_before_s_ = 0;      ///< waited up to the record before
  std::int64_t saturated_before_ = 0;  ///< in the step before
};

}  // namespace mpdist::train
