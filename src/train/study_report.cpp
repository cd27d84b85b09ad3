// SPDX-License-Identifier: Apache-2.0
#include "src/train/study_report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "src/checkpoint/temporary_file.hpp"

namespace mpdist::train {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kBaseline = "fp32";

/// `value` of the runs that did not diverge; of all runs where that makes no difference to what is measured.
std::vector<double> values(const SettingOutcomes& setting, bool diverged_too,
                           const std::function<double(const RunOutcome&)>& value) {
  std::vector<double> all;
  for (const RunOutcome& outcome : setting.outcomes) {
    if (diverged_too || !outcome.diverged) all.push_back(value(outcome));
  }
  return all;
}

std::int64_t diverged_runs(const SettingOutcomes& setting) {
  return std::count_if(setting.outcomes.begin(), setting.outcomes.end(), [](const auto& o) { return o.diverged; });
}

/// "91.93 +- 0.12"; "-" without values.
std::string text(const Spread& spread, int digits) {
  if (std::isnan(spread.mean)) return "-";
  if (std::isnan(spread.deviation)) return fmt::format("{:.{}f}", spread.mean, digits);
  return fmt::format("{:.{}f} ± {:.{}f}", spread.mean, digits, spread.deviation, digits);
}

double accuracy_percent(const RunOutcome& outcome) {
  return 100 * outcome.accuracy;
}
double loss(const RunOutcome& outcome) {
  return outcome.loss;
}
double skipped(const RunOutcome& outcome) {
  return static_cast<double>(outcome.skipped);
}
double samples_per_s(const RunOutcome& outcome) {
  return outcome.samples_per_s;
}

std::string quality_table(const std::vector<SettingOutcomes>& all) {
  std::string table =
      "| setting | runs | diverged | accuracy, % | loss | batches skipped | samples/s |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const SettingOutcomes& s : all) {
    table +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", s.setting.name, s.outcomes.size(), diverged_runs(s),
                    text(spread_of(values(s, false, accuracy_percent)), 2), text(spread_of(values(s, false, loss)), 4),
                    text(spread_of(values(s, true, skipped)), 1), text(spread_of(values(s, true, samples_per_s)), 0));
  }
  return table;
}

/// Largest peak over the runs of a setting; negative where no run tells.
std::int64_t peak_bytes(const SettingOutcomes& setting, const std::string& kind) {
  std::int64_t peak = -1;
  for (const RunOutcome& outcome : setting.outcomes) {
    for (const auto& [name, bytes] : outcome.peak_bytes) {
      if (name == kind) peak = std::max(peak, bytes);
    }
  }
  return peak;
}

std::string memory_table(const std::vector<SettingOutcomes>& all) {
  std::vector<std::string> kinds;
  for (const SettingOutcomes& s : all) {
    for (const RunOutcome& outcome : s.outcomes) {
      for (const auto& [name, bytes] : outcome.peak_bytes) {
        if (std::find(kinds.begin(), kinds.end(), name) == kinds.end()) kinds.push_back(name);
      }
    }
  }
  std::string head = "| setting |", rule = "|---|", rows;
  for (const std::string& kind : kinds) head += " " + kind + " |", rule += "---|";
  for (const SettingOutcomes& s : all) {
    rows += "| " + s.setting.name + " |";
    for (const std::string& kind : kinds) {
      const std::int64_t peak = peak_bytes(s, kind);
      rows += peak < 0 ? " - |" : fmt::format(" {:.2f} |", static_cast<double>(peak) / 1048576.0);
    }
    rows += "\n";
  }
  return head + "\n" + rule + "\n" + rows;
}

const SettingOutcomes* baseline_of(const std::vector<SettingOutcomes>& all) {
  const auto found = std::find_if(all.begin(), all.end(), [](const auto& s) { return s.setting.name == kBaseline; });
  return found == all.end() ? nullptr : &*found;
}

std::string comparison_table(const std::vector<SettingOutcomes>& all, const SettingOutcomes& fp32) {
  std::string table =
      "| against fp32 | pairs | accuracy difference, points | 95 % interval | p, paired t | p, sign flips | verdict |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const SettingOutcomes& s : all) {
    if (s.setting.name == kBaseline) continue;
    const Comparison c = compare(s, fp32);
    if (c.test) {
      table += fmt::format("| {} | {} | {:+.3f} | {:+.3f} to {:+.3f} | {:.3f} | {:.3f} | {} |\n", s.setting.name,
                           c.test->pairs, 100 * c.test->differences.mean, 100 * c.test->low, 100 * c.test->high,
                           c.test->p_t, c.test->p_sign_flip, c.verdict);
    } else {
      table += fmt::format("| {} | - | - | - | - | - | {} |\n", s.setting.name, c.verdict);
    }
  }
  return table;
}

constexpr const char* kMethod =
    "Accuracy differences are paired over the seeds (equal seeds draw equal initial weights, batches and "
    "augmentation). "
    "Interval and first p: Student's paired t-test, n - 1 degrees of freedom. Second p: exact permutation test over "
    "all "
    "2^n signs of the differences; it cannot fall below 2/2^n. Both are two-sided and not corrected for the number of "
    "settings. The verdict is the interval's, or \"diverges\" where a run's numerics could not go on.\n";

/// NaN is null.
Json json_number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
Json json_spread(const Spread& spread) {
  return {{"mean", json_number(spread.mean)}, {"standard_deviation", json_number(spread.deviation)}};
}

Json json_runs(const SettingOutcomes& setting) {
  Json runs = Json::array();
  for (std::size_t i = 0; i < setting.outcomes.size(); ++i) {
    const RunOutcome& o = setting.outcomes[i];
    Json run{{"seed", setting.seeds[i]},
             {"diverged", o.diverged},
             {"reason", o.reason.empty() ? Json(nullptr) : Json(o.reason)},
             {"accuracy", json_number(o.accuracy)},
             {"loss", json_number(o.loss)},
             {"step", o.step},
             {"skipped", o.skipped},
             {"samples_per_s", json_number(o.samples_per_s)},
             {"peak_bytes", Json::object()}};
    for (const auto& [kind, bytes] : o.peak_bytes) run["peak_bytes"][kind] = bytes;
    runs.push_back(std::move(run));
  }
  return runs;
}

Json json_comparison(const Comparison& comparison) {
  Json json{{"verdict", comparison.verdict}};
  if (!comparison.test) return json;
  const PairedTest& test = *comparison.test;
  json.update(Json{{"pairs", test.pairs},
                   {"accuracy_difference", json_spread(test.differences)},
                   {"interval_95_percent", {json_number(test.low), json_number(test.high)}},
                   {"t", json_number(test.t)},
                   {"p_paired_t", test.p_t},
                   {"p_sign_flip", test.p_sign_flip}});
  return json;
}

}  // namespace

Comparison compare(const SettingOutcomes& setting, const SettingOutcomes& fp32) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < setting.seeds.size(); ++i) {
    const auto pair = std::find(fp32.seeds.begin(), fp32.seeds.end(), setting.seeds[i]);
    if (pair == fp32.seeds.end()) continue;
    const RunOutcome& mine = setting.outcomes[i];
    const RunOutcome& theirs = fp32.outcomes[static_cast<std::size_t>(pair - fp32.seeds.begin())];
    if (!mine.diverged && !theirs.diverged) differences.push_back(mine.accuracy - theirs.accuracy);
  }
  Comparison comparison;
  if (differences.size() >= 2) comparison.test = paired_test(differences);
  if (diverged_runs(setting) > 0) {
    comparison.verdict = "diverges";
  } else if (!comparison.test) {
    comparison.verdict = "not tested";
  } else {
    comparison.verdict = comparison.test->high < 0  ? "worse"
                         : comparison.test->low > 0 ? "better"
                                                    : "no difference found";
  }
  return comparison;
}

std::string study_text(const Config& config, const std::vector<SettingOutcomes>& all) {
  std::string length = config.run.steps > 0 ? fmt::format("{} updates", config.run.steps)
                                            : fmt::format("{:g} epochs", config.run.epochs);
  std::string report = fmt::format(
      "# Precision study: {}\n\nModel {}, data {}, {} of {} samples a run. Accuracy and loss are those of the last "
      "evaluation, mean ± standard deviation over the runs that did not diverge.\n\n",
      config.run.name, config.model.name, config.data.format.name, length, config.batch.global);
  report += quality_table(all);
  report += "\nPeak memory of a rank in MiB, by kind (parameters: masters and working copy).\n\n" + memory_table(all);
  if (const SettingOutcomes* fp32 = baseline_of(all)) {
    report += "\n" + comparison_table(all, *fp32) + "\n" + kMethod;
  } else {
    report += "\nNothing is compared: fp32 is not among the settings.\n";
  }
  return report;
}

std::string study_json(const Config& config, const std::vector<SettingOutcomes>& all) {
  Json json{{"name", config.run.name}, {"model", config.model.name}, {"settings", Json::array()}};
  const SettingOutcomes* fp32 = baseline_of(all);
  for (const SettingOutcomes& s : all) {
    Json setting{{"setting", s.setting.name},
                 {"diverged", diverged_runs(s)},
                 {"accuracy", json_spread(spread_of(values(s, false, [](const auto& o) { return o.accuracy; })))},
                 {"loss", json_spread(spread_of(values(s, false, loss)))},
                 {"skipped", json_spread(spread_of(values(s, true, skipped)))},
                 {"samples_per_s", json_spread(spread_of(values(s, true, samples_per_s)))},
                 {"runs", json_runs(s)}};
    if (fp32 && s.setting.name != kBaseline) setting["against_fp32"] = json_comparison(compare(s, *fp32));
    json["settings"].push_back(std::move(setting));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_study(const Config& config, const std::vector<SettingOutcomes>& all) {
  const std::string directory = study_directory(config);
  checkpoint::replace_file(directory + "/study.md", study_text(config, all));
  checkpoint::replace_file(directory + "/study.json", study_json(config, all));
}

}  // namespace mpdist::train
