// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/core/pool.hpp"
#include "src/precision/telemetry.hpp"

namespace mpdist::train {

/// What is reported of a run: one record an event, on rank 0. `step` counts applied updates, `attempted` batches
/// consumed, both after the event. Fractions are in [0, 1].
struct StartRecord {
  std::int64_t step = 0, attempted = 0;  ///< where the run goes on; 0 for a new one
  std::string resumed_from = {};         ///< path of the checkpoint; empty for a new run
  std::string name = {}, compute = {};   ///< run.name; "fp16"
  std::int64_t ranks = 1, nodes = 1, threads_per_rank = 1;
  std::string devices = {};    ///< distinct models, "AMD EPYC"
  std::string transport = {};  ///< how gradients travel: "shared memory", ...
  std::int64_t global_batch = 0, shards = 0, parameters = 0;
  std::int64_t training_samples = 0, evaluation_samples = 0;
};

struct StepRecord {
  std::int64_t step = 0, attempted = 0;
  double epoch = 0, loss = 0, accuracy = 0, lr = 0;
  double loss_scale = 0;                            ///< at which the step ran
  std::int64_t skipped = 0;                         ///< since step 0
  std::int64_t saturated = 0;                       ///< working elements beyond the compute type, after this update
  double grad_norm = 0;                             ///< of the unscaled gradient, before clipping
  double step_ms = 0;                               ///< mean since the record before
  double samples_per_s = 0;                         ///< of all ranks, over the same steps
  double data_wait_fraction = 0;                    ///< of that time waited for batches, by the rank that waited most
  std::vector<std::int64_t> samples_per_rank = {};  ///< computed in this step; their sum is the batch
  std::vector<std::int64_t> bytes_sent_per_rank = {};  ///< handed to other ranks in this step
  std::int64_t remaining = 0;                          ///< steps to go, for the time left on the console
};

struct OverflowRecord {
  std::int64_t step = 0, attempted = 0;
  std::string where = {};                          ///< "forward", "backward" or "sum"
  std::string tensor = {}, layer = {}, host = {};  ///< empty where unknown
  std::int64_t rank = -1, shard = -1;              ///< -1 where unknown or, in the sum, none
  double loss_scale = 0, next_loss_scale = 0;
  std::string diagnosis = {};  ///< the line for people
};

/// Where the gradients of one step lie; precision::summarise says what that means.
struct TelemetryRecord {
  std::int64_t step = 0, attempted = 0;
  double loss_scale = 1;                     ///< which all counted values carry
  std::string compute = {}, wire = {};       ///< types of activation gradients and of the reduced gradient
  precision::LossScalerOptions limits = {};  ///< floor and ceiling of a recommended scale
  std::span<const precision::TensorRange> gradients = {}, activation_gradients = {};
};

struct EvaluateRecord {
  std::int64_t step = 0, attempted = 0;
  double loss = 0, accuracy = 0;
  std::int64_t samples = 0;
};

struct CheckpointRecord {
  std::int64_t step = 0, attempted = 0;
  std::string path = {};
};

struct EndRecord {
  std::int64_t step = 0, attempted = 0, skipped = 0;
  std::string reason = {};                                           ///< "done", "stopped", "diverged"
  double wall_s = 0;                                                 ///< of this process
  std::vector<std::pair<MemoryKind, std::int64_t>> peak_bytes = {};  ///< largest over ranks
};

/// Takes the records of a run as they happen.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void start(const StartRecord& record) = 0;
  virtual void step(const StepRecord& record) = 0;
  virtual void overflow(const OverflowRecord& record) = 0;
  virtual void telemetry(const TelemetryRecord& record) = 0;
  virtual void evaluate(const EvaluateRecord& record) = 0;
  virtual void checkpoint(const CheckpointRecord& record) = 0;
  virtual void end(const EndRecord& record) = 0;
};

}  // namespace mpdist::train
