// SPDX-License-Identifier: Apache-2.0
#include "src/train/checkpoints.hpp"

#include <cmath>
#include <filesystem>
#include <functional>
#include <utility>

#include "src/checkpoint/folder.hpp"
#include "src/checkpoint/output_lock.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "src/checkpoint/writer.hpp"
#include "src/core/log.hpp"
#include "src/train/agreement.hpp"

namespace mpdist::train {
namespace {

double metric_of(const Evaluation& evaluation, const std::string& name) {
  return name == "loss" ? evaluation.loss : evaluation.accuracy;
}

/// Whether `value` of `metric` takes the place of the best so far. A loss that is not finite never does.
bool is_better(double value, const std::string& metric, const std::optional<checkpoint::Best>& best) {
  if (!std::isfinite(value)) return false;
  if (!best || best->metric != metric) return true;
  return metric == "loss" ? value < best->value : value > best->value;
}

/// The message of what `work` threw, if it threw.
std::optional<std::string> error_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

/// What rank 0 has of the output directory. Nothing is created before the first of these exists.
struct Checkpoints::Files {
  Files(const Config& config, Pool& pool)
      : output(config.run.output_directory()),
        folder(output + "/checkpoints"),
        lock(made(folder, output)),
        writer(config.checkpoint.keep, pool) {
    for (const std::string& place : {output, folder}) checkpoint::remove_dead_temporaries(place);
  }

  /// Makes the folder of the checkpoints; returns the output directory.
  static const std::string& made(const std::string& folder, const std::string& output) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw UsageError(fmt::format("run.output: cannot create {}: {}", folder, error.message()));
    return output;
  }

  std::string output, folder;
  checkpoint::OutputLock lock;
  checkpoint::Writer writer;
  std::optional<Saved> running;               ///< the save that runs, or has ended and not been looked at
  std::optional<std::string> error;           ///< of the newest save that has ended
  std::optional<checkpoint::Best> candidate;  ///< of the save that runs: recorded once it is in place
};

Checkpoints::Checkpoints(const Config& config, comm::Communicator& communicator, RunFacts facts, Pool& pool)
    : config_(config), communicator_(communicator), facts_(std::move(facts)) {
  together(communicator_, [&] {
    if (communicator_.rank() != 0) return;
    load_named();  // before the output directory is made: a wrong path leaves nothing behind
    files_ = std::make_unique<Files>(config_, pool);
  });
}

Checkpoints::~Checkpoints() = default;

bool Checkpoints::resume(TrainingState& state, Stream& stream) {
  std::int64_t resumed = 0;
  together(communicator_, [&] {
    if (communicator_.rank() == 0) resumed = restore_on_root(state, stream) ? 1 : 0;
  });
  communicator_.broadcast(std::as_writable_bytes(std::span(&resumed, 1)), 0);
  if (resumed) {
    broadcast_state(state, communicator_, stream);
    saved_step_ = state.step, saved_attempted_ = state.attempted;
  }
  return resumed != 0;
}

void Checkpoints::load_named() {
  const std::string& wanted = config_.checkpoint.resume;
  if (wanted == "auto" || wanted == "never") return;
  if (!std::filesystem::exists(wanted)) {
    throw UsageError(
        fmt::format("checkpoint.resume = \"{}\": there is no such file; expected \"auto\", \"never\" or the path of a "
                    "checkpoint",
                    wanted));
  }
  named_ = std::make_unique<checkpoint::Loaded>(checkpoint::Loaded{wanted, checkpoint::read(wanted)});
  refuse_changes(*named_);
}

bool Checkpoints::restore_on_root(TrainingState& state, Stream& stream) {
  const std::string& wanted = config_.checkpoint.resume;
  const std::optional<checkpoint::Found> newest = checkpoint::latest(files_->folder);
  if (wanted == "never") {
    if (!newest) return false;
    throw UsageError(
        fmt::format("checkpoint.resume = \"never\", but {} holds a run at step {}: choose another run.name or "
                    "run.output, or remove that directory",
                    files_->output, newest->step));
  }
  std::unique_ptr<checkpoint::Loaded> loaded = std::move(named_);
  if (!loaded) {
    std::optional<checkpoint::Loaded> found = checkpoint::load_newest(files_->folder);
    if (!found) return false;
    loaded = std::make_unique<checkpoint::Loaded>(std::move(*found));
    refuse_changes(*loaded);
  }
  resumed_from_ = loaded->path;
  from_checkpoint(state, loaded->checkpoint, loaded->path, stream);
  const int lost = checkpoint::set_aside_after(files_->folder, state.step);
  if (lost > 0) log::info("{} later checkpoints were renamed to *.lost", lost);
  log::info("resumed from {}: step {}, attempted {}, loss scale {}", loaded->path, state.step, state.attempted,
            state.scaler.scale());
  return true;
}

/// A resumed run is the same run: what decides its bits may not have changed.
void Checkpoints::refuse_changes(const checkpoint::Loaded& loaded) const {
  const auto text = loaded.checkpoint.texts.find("run/config");
  if (text == loaded.checkpoint.texts.end()) throw FormatError(loaded.path, "run/config", "is missing");
  std::vector<std::string> changes = fixed_differences(parse_config(text->second, loaded.path, {}), config_);
  const auto digest = loaded.checkpoint.integers.find("data/digest");
  if (digest != loaded.checkpoint.integers.end() && static_cast<std::uint64_t>(digest->second) != facts_.data_digest) {
    changes.push_back(fmt::format("data: digest {:016x} in the checkpoint, {:016x} now",
                                  static_cast<std::uint64_t>(digest->second), facts_.data_digest));
  }
  if (changes.empty()) return;
  std::string all;
  for (const std::string& change : changes) all += (all.empty() ? "" : "; ") + change;
  if (!config_.run.branch) {
    throw UsageError(
        fmt::format("{} was written by another run: {}; restore these, or set run.branch = true to go on with "
                    "the new values",
                    loaded.path, all));
  }
  log::info("branching from {}: {}", loaded.path, all);
}

std::string Checkpoints::path(std::int64_t step) const {
  return checkpoint::path_of(config_.run.output_directory() + "/checkpoints", step);
}

bool Checkpoints::due_by_clock() const {
  const double minutes = config_.checkpoint.every_minutes;
  return communicator_.rank() == 0 && minutes > 0 &&
         std::chrono::duration<double>(std::chrono::steady_clock::now() - last_).count() > 60 * minutes;
}

bool Checkpoints::due_at(std::int64_t step) const {
  return config_.checkpoint.every > 0 && step % config_.checkpoint.every == 0;
}

void Checkpoints::save(const TrainingState& state, const std::optional<Evaluation>& evaluation) {
  last_ = std::chrono::steady_clock::now();
  saved_step_ = state.step, saved_attempted_ = state.attempted;
  if (!files_) return;
  const std::string& metric = config_.checkpoint.best;
  if (evaluation && metric != "none") {
    const double value = metric_of(*evaluation, metric);
    if (is_better(value, metric, checkpoint::best(files_->folder))) {
      files_->candidate = checkpoint::Best{state.step, metric, value};
    }
  }
  files_->running = Saved{state.step, state.attempted, path(state.step)};
  files_->writer.begin(to_checkpoint(state, config_, facts_), files_->running->path);
}

void Checkpoints::wait_copied() {
  if (files_) files_->writer.wait_copied();
}

/// Waits for the save that runs, if there is one, and takes what came of it.
std::optional<Saved> Checkpoints::settle() {
  if (!files_ || !files_->running) return std::nullopt;
  files_->writer.wait_written();
  std::optional<Saved> saved = std::exchange(files_->running, std::nullopt);
  const std::optional<checkpoint::Best> candidate = std::exchange(files_->candidate, std::nullopt);
  files_->error = files_->writer.take_error();
  if (!files_->error && candidate) {
    files_->error = error_of([&] { checkpoint::record_best(files_->folder, *candidate); });
  }
  if (files_->error) saved.reset();
  return saved;
}

std::optional<Saved> Checkpoints::take_saved(bool wait) {
  if (!files_ || !files_->running || (!wait && files_->writer.busy())) return std::nullopt;
  std::optional<Saved> saved = settle();
  if (!saved) log::info("this save failed, the run goes on and saves again when due: {}", *files_->error);
  return saved;
}

std::optional<Saved> Checkpoints::finish() {
  std::optional<Saved> saved = settle();
  together(communicator_, [&] {
    if (files_ && files_->error) throw Error(ExitCode::retry, "the last save failed: " + *files_->error);
  });
  return saved;
}

}  // namespace mpdist::train
