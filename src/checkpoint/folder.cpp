// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/folder.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "src/checkpoint/posix_file.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "src/core/log.hpp"

namespace mpdist::checkpoint {
namespace {

constexpr std::string_view kPrefix = "step_", kSuffix = ".h5";
constexpr std::size_t kDigits = 8;

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.size() < kPrefix.size() + kDigits + kSuffix.size()) return std::nullopt;
  const char* end = name.data() + name.size() - kSuffix.size();
  std::int64_t step = 0;
  const auto [after, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || after != end || step < 0) return std::nullopt;
  return step;
}

void rename_to(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_system_error("rename", from, errno);
}

void remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_system_error("unlink", path, errno);
}

std::string best_path(const std::string& folder) {
  return folder + "/best.json";
}

/// Whether or not its file is still there.
std::optional<Best> recorded_best(const std::string& folder) {
  const std::string path = best_path(folder);
  std::ifstream file(path);
  if (!file) return std::nullopt;
  Best best;
  try {
    const nlohmann::json json = nlohmann::json::parse(file);
    best = {json.at("step").get<std::int64_t>(), json.at("metric").get<std::string>(), json.at("value").get<double>()};
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(path, "JSON",
                      fmt::format("{}; remove the file to forget which checkpoint was best", error.what()));
  }
  return best;
}

void forget_best_after(const std::string& folder, std::int64_t step) {
  if (const auto recorded = recorded_best(folder); recorded && recorded->step > step) remove(best_path(folder));
}

}  // namespace

std::string path_of(const std::string& folder, std::int64_t step) {
  return fmt::format("{}/{}{:0{}}{}", folder, kPrefix, step, kDigits, kSuffix);
}

std::vector<Found> list(const std::string& folder) {
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (const auto step = step_of(entry.path().filename().string())) found.push_back({entry.path().string(), *step});
  }
  if (error && error != std::errc::no_such_file_or_directory) throw_system_error("opendir", folder, error.value());
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.step > b.step; });
  return found;
}

std::optional<Found> latest(const std::string& folder) {
  std::vector<Found> found = list(folder);
  if (found.empty()) return std::nullopt;
  return found.front();
}

std::optional<Loaded> load_newest(const std::string& folder) {
  std::vector<std::string> damaged;
  std::string last_problem;
  for (const Found& candidate : list(folder)) {
    try {
      Loaded loaded{candidate.path, read(candidate.path)};
      for (const std::string& path : damaged) rename_to(path, path + ".damaged");
      forget_best_after(folder, candidate.step);
      return loaded;
    } catch (const FormatError& error) {
      log::warn("{}; the checkpoint before it is tried", error.what());
      damaged.push_back(candidate.path);
      last_problem = error.what();
    }
  }
  if (damaged.empty()) return std::nullopt;
  throw FormatError(folder, fmt::format("{} checkpoints", damaged.size()),
                    fmt::format("all are damaged ({}); restore one, or remove them to start anew", last_problem));
}

std::optional<Best> best(const std::string& folder) {
  std::optional<Best> recorded = recorded_best(folder);
  if (recorded && !std::filesystem::exists(path_of(folder, recorded->step))) recorded.reset();
  return recorded;
}

void record_best(const std::string& folder, const Best& best) {
  require(std::isfinite(best.value), "best checkpoint: {} is {}", best.metric, best.value);
  const nlohmann::ordered_json json = {{"file", std::filesystem::path(path_of(folder, best.step)).filename().string()},
                                       {"step", best.step},
                                       {"metric", best.metric},
                                       {"value", best.value}};
  replace_file(best_path(folder), json.dump() + "\n");
}

void prune(const std::string& folder, std::int64_t keep) {
  const std::optional<Best> kept = best(folder);
  const std::vector<Found> found = list(folder);
  for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(keep, 1)); i < found.size(); ++i) {
    if (!kept || found[i].step != kept->step) remove(found[i].path);
  }
}

int set_aside_after(const std::string& folder, std::int64_t step) {
  forget_best_after(folder, step);
  int renamed = 0;
  for (const Found& found : list(folder)) {
    if (found.step <= step) continue;
    rename_to(found.path, found.path + ".lost");
    ++renamed;
  }
  return renamed;
}

}  // namespace mpdist::checkpoint
