// SPDX-License-Identifier: Apache-2.0
#include "src/train/study_outcome.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "src/checkpoint/folder.hpp"
#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

using Json = nlohmann::ordered_json;

/// Null stands for what was not finite.
double number(const Json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string text_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

bool same_length(const RunConfig& a, const RunConfig& b) {
  return a.epochs == b.epochs && a.steps == b.steps;
}

std::string length_of(const RunConfig& run) {
  return run.steps > 0 ? fmt::format("run.steps = {}", run.steps) : fmt::format("run.epochs = {}", run.epochs);
}

std::string word(const Json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

/// A count that an `end` always has.
std::int64_t count(const Json& event, const char* key, const std::string& path) {
  const auto found = event.find(key);
  if (found == event.end() || !found->is_number_integer()) {
    throw FormatError(path, fmt::format("end event, {}", key), "expected an integer");
  }
  return found->get<std::int64_t>();
}

void read_end(const Json& event, const std::string& path, RunOutcome& outcome) {
  outcome.diverged = word(event, "reason") == "diverged";
  outcome.step = count(event, "step", path);
  outcome.skipped = count(event, "skipped", path);
  outcome.peak_bytes.clear();
  const auto peaks = event.find("peak_bytes");
  if (peaks == event.end() || !peaks->is_object()) {
    throw FormatError(path, "end event, peak_bytes", "expected bytes by kind of memory");
  }
  for (const auto& [name, bytes] : peaks->items())
    outcome.peak_bytes.emplace_back(name, count(*peaks, name.c_str(), path));
}

}  // namespace

std::optional<RunOutcome> outcome_of_events(const std::string& jsonl, const std::string& path) {
  RunOutcome outcome{.accuracy = std::numeric_limits<double>::quiet_NaN(),
                     .loss = std::numeric_limits<double>::quiet_NaN()};
  std::vector<double> speeds;
  bool ended = false, evaluated = false;
  std::istringstream lines(jsonl);
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line, nullptr, false);
    if (!event.is_object() || !event.contains("event")) continue;
    const std::string kind = word(event, "event");
    ended = kind == "end" && word(event, "reason") != "stopped";
    if (kind == "step") speeds.push_back(number(event, "samples_per_s"));
    if (kind == "overflow") outcome.reason = word(event, "diagnosis");
    if (kind == "evaluate") {
      outcome.accuracy = number(event, "accuracy"), outcome.loss = number(event, "loss");
      evaluated = true;
    }
    if (ended) read_end(event, path, outcome);
  }
  if (!ended) return std::nullopt;
  if (evaluated && !std::isfinite(outcome.loss)) outcome.diverged = true;
  if (!outcome.diverged) outcome.reason.clear();
  if (speeds.size() > 1) speeds.erase(speeds.begin());  // the first steps make plans and fault memory in
  outcome.samples_per_s = median(speeds);
  return outcome;
}

std::optional<RunOutcome> finished_outcome(const Config& config) {
  const std::string output = config.run.output_directory();
  const std::string config_path = output + "/config.toml", metrics_path = output + "/metrics.jsonl";
  if (!std::filesystem::exists(config_path) || !std::filesystem::exists(metrics_path)) return std::nullopt;
  const std::optional<RunOutcome> outcome = outcome_of_events(text_of(metrics_path), metrics_path);
  if (!outcome) return std::nullopt;
  const Config saved = parse_config(read_config_text(config_path), config_path, {});
  const std::vector<std::string> differences = fixed_differences(saved, config);
  if (!differences.empty()) {
    throw UsageError(
        fmt::format("{} holds a finished run of another config: {}; restore these, or choose another "
                    "run.output, or remove that directory",
                    output, fmt::join(differences, "; ")));
  }
  return same_length(saved.run, config.run) ? outcome : std::nullopt;
}

void refuse_other_data(const Config& config, std::uint64_t digest) {
  const std::string output = config.run.output_directory();
  const auto newest = checkpoint::load_newest(output + "/checkpoints");
  if (!newest) return;
  const auto found = newest->checkpoint.integers.find("data/digest");
  if (found == newest->checkpoint.integers.end() || static_cast<std::uint64_t>(found->second) == digest) return;
  throw UsageError(
      fmt::format("{} holds a finished run of other data: digest {:016x} in its checkpoint, {:016x} now; restore them, "
                  "or choose another run.output, or remove that directory",
                  output, static_cast<std::uint64_t>(found->second), digest));
}

void refuse_other_length(const Config& config) {
  const std::string output = config.run.output_directory(), path = output + "/config.toml";
  const Config saved = parse_config(read_config_text(path), path, {});
  if (same_length(saved.run, config.run)) return;
  throw UsageError(
      fmt::format("{} holds a finished run of {}, expected {} or less; restore the length, or choose another "
                  "run.output, or remove that directory",
                  output, length_of(saved.run), length_of(config.run)));
}

}  // namespace mpdist::train
