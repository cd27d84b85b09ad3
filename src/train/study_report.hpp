// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/train/config.hpp"
#include "src/train/paired_test.hpp"
#include "src/train/study.hpp"

namespace mpdist::train {

/// A setting against FP32, over the seeds with which both finished.
struct Comparison {
  std::string verdict;             ///< "no difference found", "worse", "better", "diverges", "not tested"
  std::optional<PairedTest> test;  ///< of the accuracy differences (setting - fp32), fractions; none below two pairs
};

/// "diverges" when any run of the setting diverged; else "worse" or "better" when the 95 % interval of the t-test
/// leaves zero out; "not tested" with fewer than two pairs.
Comparison compare(const SettingOutcomes& setting, const SettingOutcomes& fp32);

/// The tables as Markdown: quality (mean +- standard deviation over the seeds), memory by kind, comparison with FP32.
std::string study_text(const Config& config, const std::vector<SettingOutcomes>& all);
/// The same as JSON, with every run.
std::string study_json(const Config& config, const std::vector<SettingOutcomes>& all);
/// Writes both into the study's directory.
void write_study(const Config& config, const std::vector<SettingOutcomes>& all);

}  // namespace mpdist::train
