// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/error.hpp"
#include "src/train/config.hpp"
#include "src/train/study_outcome.hpp"
#include "src/train/trainer.hpp"

namespace mpdist::train {

/// One way of computing whose training is compared with the others.
struct StudySetting {
  std::string name;         ///< "fp16-dynamic": folder, row of the tables, word of --settings
  std::string compute;      ///< precision.compute
  NumberOrWord loss_scale;  ///< precision.loss_scale
};

struct StudyOptions {
  std::vector<std::string> settings;  ///< names, in the order of the tables; empty: all
  std::int64_t seeds = 5;             ///< run.seed and the ones after it; the same for each setting: runs are paired
  double constant_scale = 1024;       ///< of fp16-constant, a power of two
};

/// fp32, fp16-unscaled (scale 1), fp16-constant, fp16-dynamic, bf16: the settings of Micikevicius et al. 2018, with
/// those that came after it.
std::vector<StudySetting> study_settings(double constant_scale);

/// The settings that the options name. UsageError for an unknown or repeated name, or a scale that is no power of two.
std::vector<StudySetting> chosen_settings(const StudyOptions& options);

/// "<output>_study"
std::string study_directory(const Config& config);
/// The config of one run: `config` with precision, run.seed and run.output = <output>_study/<setting>/seed_<seed>.
Config study_run_config(const Config& config, const StudySetting& setting, std::int64_t seed);

/// The outcomes of one setting's runs.
struct SettingOutcomes {
  StudySetting setting;
  std::vector<std::int64_t> seeds;   ///< of the runs so far
  std::vector<RunOutcome> outcomes;  ///< by seed
};

/// Trains `config` under every setting with every seed, one after the other; collective. Finished runs are read, not
/// run again; others go on from their last checkpoint. A run whose numerics cannot go on is an outcome, "diverged".
/// After each run <output>_study/study.md and study.json are written with what there is; at the end the tables are
/// printed. Returns done, or stopped when a run was. Any other error ends the study.
ExitCode run_study(const Config& config, const StudyOptions& options, comm::Communicator& communicator,
                   const RunContext& context);

}  // namespace mpdist::train
