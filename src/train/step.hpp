// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/gradient_reducer.hpp"
#include "data/loader.hpp"
#include "kernels/gradient_statistics.hpp"
#include "src/core/host_array.hpp"
#include "src/core/unwinding.hpp"
#include "src/nn/loss.hpp"
#include "src/optim/schedule.hpp"
#include "src/precision/verdict.hpp"
#include "src/train/diagnosis.hpp"
#include "src/train/faults.hpp"
#include "src/train/plan.hpp"
#include "src/train/state.hpp"
#include "src/train/state_digests.hpp"
#include "src/train/telemetry.hpp"

namespace mpdist::train {

/// What one attempted step came to, equal on all ranks.
struct StepReport {
  precision::StepEvent event = precision::StepEvent::clean;
  std::int64_t attempted = 0;  ///< batches consumed after it
  std::int64_t step = 0;       ///< applied updates after it
  double loss = 0;             ///< mean over C
  double accuracy = 0;         ///< fraction
  double loss_scale = 0;       ///< with which the step ran
  double new_loss_scale = 0;   ///< after it
  double lr = 0;
  double grad_norm = 0;  ///< of the unscaled mean gradient, before clipping
  /// Working elements that the last update saturated; on a GPU the last one before this step, whose result has arrived.
  std::int64_t saturated = 0;
  bool stop = false;         ///< some rank was asked to stop
  bool save = false;         ///< a checkpoint is due by the clock
  Diagnosis diagnosis = {};  ///< of a skipped step
  /// Of a step that precision.telemetry_every names; belongs to the StepRunner, until the next one.
  const Telemetry* telemetry = nullptr;
};

/// What this rank wishes for besides the step; the ranks agree on it in the verdict.
struct StepRequests {
  bool stop = false;  ///< a signal or the time limit
  bool save = false;  ///< the clock asks for a checkpoint
};

/// What the caller does in the course of a step.
struct StepHooks {
  /// Once forward, backward and the sum of the gradients are enqueued: on a GPU they run meanwhile.
  std::function<void()> while_waiting = [] {};
  /// Once, before anything of the state changes.
  std::function<void()> before_update = [] {};
};

/// Runs attempted steps: DESIGN 4, in its order. Collective: every rank calls attempt() with its part of the same
/// batch. On a GPU all is enqueued; the host waits once, for the verdict.
class StepRunner {
 public:
  /// `gradients` sums gradients on the stream's device, `communicator` carries all else; on the CPU both are one.
  StepRunner(const Config& config, const Plan& plan, TrainingState& state, comm::Communicator& communicator,
             comm::Communicator& gradients, const optim::Schedule& schedule, FaultPlan& faults, Stream& stream);
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  /// One attempted step. `audit` adds the digests of all state to the verdict.
  /// Throws Disagreement (collective) naming ranks, tensor, first element and values when ranks differ.
  StepReport attempt(const data::Batch& batch, StepRequests requests, bool audit, const StepHooks& hooks = {});

  /// Compares the digests of all state over the ranks now: before a checkpoint.
  void audit();

  const comm::GradientReducer& reducer() const { return reducer_; }
  /// Loss terms that this rank computed in the last step.
  std::int64_t local_loss_terms() const { return loss_terms_; }

 private:
  void forward_backward(const data::Batch& batch, double gradient_scale, bool watch);
  void reduce();
  void collect_values();
  void tell(const precision::Verdict& verdict, double unscale, StepReport& report) const;
  precision::Verdict local_verdict(StepRequests requests, bool audit) const;
  precision::Verdict merge(const precision::Verdict& mine, bool audit);
  void update(const StepReport& report, double unscale);
  void update_statistics();
  Diagnosis explain(const data::Batch& batch, const precision::Verdict& verdict, const StepReport& report);

  const Config& config_;
  const Plan& plan_;
  TrainingState& state_;
  comm::Communicator& communicator_;
  const optim::Schedule& schedule_;
  FaultPlan& faults_;
  Stream& stream_;
  comm::GradientReducer reducer_;
  std::vector<kernels::SegmentSpan> segments_;       ///< by parameter, in gradient order
  HostArray<kernels::TensorStatistics> statistics_;  ///< of the reduced gradient, by parameter
  Tensor reduced_;
  Telemetry telemetry_;
  HostArray<nn::LossSums> sums_;  ///< by local shard
  Tensor values_;                 ///< host, [local shards, loss, correct and statistics]
  Tensor mean_statistics_;        ///< host, of the last update
  StateDigests digests_;
  UnwindingCheck unwinding_;
  std::int64_t loss_terms_ = 0, forward_nonfinite_ = 0;  ///< local sums of this step
};

}  // namespace mpdist::train
