// SPDX-License-Identifier: Apache-2.0
#include "src/train/study.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "src/checkpoint/temporary_file.hpp"
#include "src/core/log.hpp"
#include "src/core/pool.hpp"
#include "src/train/agreement.hpp"
#include "src/train/datasets.hpp"
#include "src/train/registry.hpp"
#include "src/train/study_report.hpp"
#include "src/train/suggest.hpp"

namespace mpdist::train {
namespace {

/// One study on all ranks; rank 0 has the outcomes.
class Study {
 public:
  Study(const Config& config, const StudyOptions& options, comm::Communicator& communicator, const RunContext& context)
      : config_(config), options_(options), communicator_(communicator), context_(context) {}

  ExitCode run() {
    std::vector<StudySetting> settings;
    together(communicator_, [&] {
      settings = chosen_settings(options_);
      if (config_.checkpoint.resume != "auto") {
        throw UsageError(
            fmt::format("checkpoint.resume = \"{}\": a study has many runs, each of which goes on from its "
                        "own checkpoint; expected \"auto\"",
                        config_.checkpoint.resume));
      }
      if (config_.comm.wire != "auto") {
        throw UsageError(fmt::format(
            "comm.wire = \"{}\": a study compares types of computation, each with its own wire type; expected \"auto\"",
            config_.comm.wire));
      }
    });
    runs_ = static_cast<std::int64_t>(settings.size()) * options_.seeds;
    for (const StudySetting& setting : settings) {
      all_.push_back({.setting = setting});
      for (std::int64_t k = 0; k < options_.seeds; ++k) {
        if (one_run(setting, config_.run.seed + k) == ExitCode::stopped) return ExitCode::stopped;
      }
    }
    if (communicator_.rank() == 0) fmt::print("{}", study_text(config_, all_));
    log::info("the study is complete: {0}/study.md, {0}/study.json", study_directory(config_));
    return ExitCode::done;
  }

 private:
  ExitCode one_run(const StudySetting& setting, std::int64_t seed) {
    const Config config = study_run_config(config_, setting, seed);
    ++number_;
    if (!look_at(config, seed, {.just_trained = false})) {
      log::info("study: run {} of {}: {}, seed {}", number_, runs_, setting.name, seed);
      if (train_once(config) == ExitCode::stopped) {
        log::info("the study was stopped in run {} of {}; the same command goes on with it", number_, runs_);
        return ExitCode::stopped;
      }
      if (!look_at(config, seed, {.just_trained = true})) refuse_what_is_there(config);
    }
    together(communicator_, [&] {
      if (communicator_.rank() == 0) write_study(config_, all_);
    });
    return ExitCode::done;
  }

  struct Look {
    bool just_trained;  ///< by this process, which compared the data itself
  };
  /// Takes the outcome of a finished run over; whether there was one. Collective.
  bool look_at(const Config& config, std::int64_t seed, Look look) {
    std::int64_t finished = 0;
    together(communicator_, [&] {
      if (communicator_.rank() != 0) return;
      const std::optional<RunOutcome> outcome = finished_outcome(config);
      if (!outcome) return;
      if (!look.just_trained) refuse_other_data(config, open_datasets(config).train->digest());
      all_.back().seeds.push_back(seed);
      all_.back().outcomes.push_back(*outcome);
      finished = 1;
    });
    communicator_.broadcast(std::as_writable_bytes(std::span(&finished, 1)), 0);
    return finished != 0;
  }

  /// Training found nothing to do, and no outcome is there.
  void refuse_what_is_there(const Config& config) {
    together(communicator_, [&] {
      if (communicator_.rank() != 0) return;
      refuse_other_length(config);
      throw Error(ExitCode::internal, config.run.output_directory() + " does not tell how its run ended");
    });
  }

  ExitCode train_once(const Config& config) {
    context_.pool->reset_peaks();
    try {
      return train::run(config, communicator_, context_);
    } catch (const NumericsError& error) {
      if (!error.is_collective()) throw;
      log::info("diverged: {}", error.what());
      return ExitCode::done;
    }
  }

  const Config& config_;
  const StudyOptions& options_;
  comm::Communicator& communicator_;
  const RunContext& context_;
  std::int64_t runs_ = 0, number_ = 0;
  std::vector<SettingOutcomes> all_;
};

}  // namespace

std::vector<StudySetting> study_settings(double constant_scale) {
  return {{"fp32", "fp32", {.number = 0, .word = "dynamic"}},
          {"fp16-unscaled", "fp16", {.number = 1, .word = {}}},
          {"fp16-constant", "fp16", {.number = constant_scale, .word = {}}},
          {"fp16-dynamic", "fp16", {.number = 0, .word = "dynamic"}},
          {"bf16", "bf16", {.number = 0, .word = "dynamic"}}};
}

std::vector<StudySetting> chosen_settings(const StudyOptions& options) {
  int exponent = 0;
  if (!(options.constant_scale > 0) || options.constant_scale > 0x1p60 ||
      std::frexp(options.constant_scale, &exponent) != 0.5) {
    throw UsageError(
        fmt::format("--constant-scale: expected a power of two in (0, 2^60], found {}", options.constant_scale));
  }
  const std::vector<StudySetting> all = study_settings(options.constant_scale);
  if (options.settings.empty()) return all;
  std::vector<std::string> known, taken;
  for (const StudySetting& setting : all) known.push_back(setting.name);
  std::vector<StudySetting> chosen;
  for (const std::string& name : options.settings) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError(fmt::format("--settings: unknown setting '{}'{}", name, suggestion(name, known)));
    }
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
      throw UsageError(fmt::format("--settings: '{}' is named twice", name));
    }
    taken.push_back(name);
    chosen.push_back(entry_named(all, name));
  }
  return chosen;
}

std::string study_directory(const Config& config) {
  return config.run.output_directory() + "_study";
}

Config study_run_config(const Config& config, const StudySetting& setting, std::int64_t seed) {
  Config run = config;
  run.precision.compute = setting.compute;
  run.precision.loss_scale = setting.loss_scale;
  run.run.seed = seed;
  run.run.output = fmt::format("{}/{}/seed_{}", study_directory(config), setting.name, seed);
  return run;
}

ExitCode run_study(const Config& config, const StudyOptions& options, comm::Communicator& communicator,
                   const RunContext& context) {
  return Study(config, options, communicator, context).run();
}

}  // namespace mpdist::train
