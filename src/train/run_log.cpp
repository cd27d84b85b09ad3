// SPDX-License-Identifier: Apache-2.0
#include "src/train/run_log.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include <fmt/ranges.h>

#include "src/checkpoint/temporary_file.hpp"
#include "src/core/log.hpp"
#include "src/train/manifest.hpp"
#include "src/train/metrics.hpp"
#include "src/train/reporters.hpp"

namespace mpdist::train {
namespace {

/// What each rank tells of itself on a logged step.
struct OfRank {
  std::int64_t samples = 0, bytes_sent = 0;
  double data_wait_s = 0;
};

}  // namespace

RunLog::RunLog(const Config& config, const Plan& plan, comm::Communicator& communicator, const RunContext& context)
    : config_(config), plan_(plan), communicator_(communicator), context_(context) {}

RunLog::~RunLog() = default;

bool RunLog::tells_of_end(const TrainingState& state) const {
  std::int64_t told = 0;
  together(communicator_, [&] {
    if (communicator_.rank() != 0) return;
    told = train::tells_of_end(config_.run.output_directory(), state.step, state.attempted) ? 1 : 0;
  });
  communicator_.broadcast(std::as_writable_bytes(std::span(&told, 1)), 0);
  return told != 0;
}

void RunLog::start(const TrainingState& state, const std::string& resumed_from, const data::Datasets& datasets) {
  started_ = Clock::now();
  const std::vector<std::string> devices = communicator_.all_gather_text(context_.device);
  together(communicator_, [&] {
    if (communicator_.rank() == 0) open_files(state, devices);
  });
  if (!context_.device_note.empty()) log::info("{}", context_.device_note);
  const std::vector<int>& nodes = communicator_.nodes();
  for (const auto& reporter : reporters_) {
    reporter->start(
        {.step = state.step,
         .attempted = state.attempted,
         .resumed_from = resumed_from,
         .name = config_.run.name,
         .compute = config_.precision.compute,
         .ranks = plan_.ranks,
         .nodes = 1 + *std::max_element(nodes.begin(), nodes.end()),
         .threads_per_rank = config_.run.threads_per_rank,
         .devices = fmt::format("{}", fmt::join(std::set<std::string>(devices.begin(), devices.end()), ", ")),
         .transport = transport(),
         .global_batch = plan_.global_batch,
         .shards = plan_.shards,
         .parameters = state.store.trainable() + state.store.frozen(),
         .training_samples = datasets.train->size(),
         .evaluation_samples = datasets.test->size()});
  }
  point_out_idle_cpus();
  last_record_ = Clock::now();
}

/// How the reduced gradient comes about on these nodes.
std::string RunLog::transport() const {
  const std::vector<int>& nodes = communicator_.nodes();
  const std::set<int> distinct(nodes.begin(), nodes.end());
  if (nodes.size() == 1) return "none (one rank)";
  const bool gpu = context_.pool->device() == Device::cuda;
  if (config_.comm.reduction == "library") {
    return fmt::format("{} (same bits at this number of ranks only)", gpu ? "ncclAllReduce" : "MPI_Allreduce");
  }
  if (gpu) return "NCCL";
  if (distinct.size() == 1) return "shared memory";
  return distinct.size() == nodes.size() ? "messages" : "shared memory within nodes, messages between";
}

void RunLog::point_out_idle_cpus() const {
  if (context_.pool->device() == Device::cuda) return;
  const std::vector<int>& nodes = communicator_.nodes();
  const std::int64_t busy = std::count(nodes.begin(), nodes.end(), 0) * config_.run.threads_per_rank;
  if (busy >= context_.machine_cpus) return;
  log::info("{} of {} CPUs of {} have nothing to do; more ranks would use them ({} fit)", context_.machine_cpus - busy,
            context_.machine_cpus, communicator_.hosts()[0], fmt::join(fitting_ranks(plan_.shards), ", "));
}

void RunLog::open_files(const TrainingState& state, const std::vector<std::string>& devices) {
  const std::string output = config_.run.output_directory();
  checkpoint::replace_file(output + "/config.toml", to_toml(config_));
  Manifest manifest{.seed = config_.run.seed,
                    .threads_per_rank = config_.run.threads_per_rank,
                    .hosts = communicator_.hosts(),
                    .nodes = communicator_.nodes(),
                    .devices = devices};
  for (const Fact& fact : context_.facts) manifest.versions.emplace_back(fact.item, fact.value);
  write_manifest(output, manifest);
  auto metrics = std::make_unique<MetricsWriter>(output);
  metrics->cut_after(state.step, state.attempted);
  reporters_.push_back(std::move(metrics));
  reporters_.push_back(std::make_unique<ConsoleReporter>(default_console()));
}

void RunLog::step(const StepReport& report, const StepRunner& runner, const TrainingState& state, double data_wait_s) {
  const std::int64_t bytes = runner.reducer().bytes_sent();
  const OfRank mine{runner.local_loss_terms(), bytes - bytes_before_, data_wait_s - data_wait_before_s_};
  bytes_before_ = bytes;
  ++steps_since_record_;
  if (report.event != precision::StepEvent::clean) overflow(report);
  if (report.telemetry) telemetry(report);
  if (report.saturated > saturated_before_) {
    log::info("step {}: {} weights lie beyond the range of {}; their working copies saturate", report.step,
              report.saturated, config_.precision.compute);
  }
  saturated_before_ = report.saturated;
  if (report.attempted % config_.log.every != 0 && !plan_.finished(state.step, state.attempted)) return;

  std::vector<OfRank> all(static_cast<std::size_t>(plan_.ranks));
  communicator_.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  const double elapsed_s = std::chrono::duration<double>(Clock::now() - last_record_).count();
  const auto steps = static_cast<double>(steps_since_record_);
  StepRecord record{
      .step = report.step,
      .attempted = report.attempted,
      .epoch = static_cast<double>(report.attempted * plan_.global_batch) / static_cast<double>(plan_.samples),
      .loss = report.loss,
      .accuracy = report.accuracy,
      .lr = report.lr,
      .loss_scale = report.loss_scale,
      .skipped = state.skipped,
      .saturated = report.saturated,
      .grad_norm = report.grad_norm,
      .step_ms = 1e3 * elapsed_s / steps,
      .samples_per_s = steps * static_cast<double>(plan_.global_batch) / elapsed_s,
      .remaining = plan_.max_attempted > 0 ? plan_.max_attempted - report.attempted : plan_.max_steps - report.step};
  for (const OfRank& rank : all) {
    record.samples_per_rank.push_back(rank.samples);
    record.bytes_sent_per_rank.push_back(rank.bytes_sent);
    record.data_wait_fraction = std::max(record.data_wait_fraction, rank.data_wait_s / elapsed_s);
  }
  for (const auto& reporter : reporters_) reporter->step(record);
  last_record_ = Clock::now();
  steps_since_record_ = 0;
  data_wait_before_s_ = data_wait_s;
}

void RunLog::overflow(const StepReport& report) {
  const Diagnosis& d = report.diagnosis;
  for (const auto& reporter : reporters_) {
    reporter->overflow({.step = report.step,
                        .attempted = report.attempted,
                        .where = d.where,
                        .tensor = d.tensor,
                        .layer = d.layer,
                        .host = d.host,
                        .rank = d.rank,
                        .shard = d.shard,
                        .loss_scale = report.loss_scale,
                        .next_loss_scale = report.new_loss_scale,
                        .diagnosis = d.text});
  }
}

void RunLog::telemetry(const StepReport& report) {
  for (const auto& reporter : reporters_) {
    reporter->telemetry({.step = report.step,
                         .attempted = report.attempted,
                         .loss_scale = report.loss_scale,
                         .compute = config_.precision.compute,
                         .wire = std::string(name_of(plan_.wire)),
                         .limits = config_.precision.scaler,
                         .gradients = report.telemetry->gradients(),
                         .activation_gradients = report.telemetry->activation_gradients()});
  }
}

void RunLog::evaluation(const Evaluation& evaluation, const TrainingState& state) {
  for (const auto& reporter : reporters_) {
    reporter->evaluate({.step = state.step,
                        .attempted = state.attempted,
                        .loss = evaluation.loss,
                        .accuracy = evaluation.accuracy,
                        .samples = evaluation.samples});
  }
}

void RunLog::checkpoint(const std::optional<Saved>& saved) {
  if (!saved) return;
  for (const auto& reporter : reporters_) {
    reporter->checkpoint({.step = saved->step, .attempted = saved->attempted, .path = saved->path});
  }
}

void RunLog::end(const TrainingState& state, const std::string& reason) {
  EndRecord record{.step = state.step,
                   .attempted = state.attempted,
                   .skipped = state.skipped,
                   .reason = reason,
                   .wall_s = std::chrono::duration<double>(Clock::now() - started_).count()};
  const std::array<std::int64_t, kMemoryKinds> mine = context_.pool->use().peak;
  std::vector<std::int64_t> all(mine.size() * static_cast<std::size_t>(plan_.ranks));
  communicator_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  for (std::size_t kind = 0; kind < mine.size(); ++kind) {
    std::int64_t peak = 0;
    for (std::size_t i = kind; i < all.size(); i += mine.size()) peak = std::max(peak, all[i]);
    record.peak_bytes.emplace_back(static_cast<MemoryKind>(kind), peak);
  }
  for (const auto& reporter : reporters_) reporter->end(record);
}

}  // namespace mpdist::train
