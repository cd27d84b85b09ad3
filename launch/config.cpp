// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/core/error.hpp"
#include "src/train/config.hpp"
#include "src/train/suggest.hpp"

namespace mpdist::launch {
namespace {

std::string table_of(const std::string& key) {
  return key.substr(0, key.find('.'));
}

bool is_wanted(const train::KeyLine& line, const std::string& wanted) {
  return wanted.empty() || line.key == wanted || table_of(line.key) == wanted || line.key.starts_with(wanted + "[]");
}

/// "optimizer.momentum (sgd) = 0.9    number in [0, 1)" and the help below it.
void print_key(const train::KeyLine& line) {
  const std::string owner = line.owner.empty() ? "" : fmt::format(" ({})", line.owner);
  const std::string value = line.default_value.empty() ? "  (required)" : " = " + line.default_value;
  const std::string unit = line.unit.empty() ? "" : ", in " + line.unit;
  const std::string allowed = line.allowed.empty() ? "" : " " + line.allowed;
  fmt::print("{:<43} {}{}{}\n", line.key + owner + value, line.type, allowed, unit);
  fmt::print("    {}; {}\n", line.help, line.resume_may_change ? "a resume may change it" : "fixed on resume");
}

int print_keys(const std::string& wanted) {
  const std::vector<train::KeyLine> lines = train::all_keys();
  if (std::none_of(lines.begin(), lines.end(), [&](const auto& line) { return is_wanted(line, wanted); })) {
    std::vector<std::string> known;
    for (const auto& line : lines) {
      if (known.empty() || known.back() != table_of(line.key)) known.push_back(table_of(line.key));
    }
    std::vector<std::string> keys = known;
    for (const auto& line : lines) keys.push_back(line.key);
    const std::string near = train::nearest(wanted, keys);
    throw UsageError(fmt::format("config: unknown table or key '{}'{}; the tables are {}", wanted,
                                 near.empty() ? "" : fmt::format("; did you mean '{}'?", near),
                                 fmt::join(known, ", ")));
  }
  std::string table;
  for (const train::KeyLine& line : lines) {
    if (!is_wanted(line, wanted)) continue;
    if (table_of(line.key) != table) fmt::print("{}[{}]\n", table.empty() ? "" : "\n", table_of(line.key));
    table = table_of(line.key);
    print_key(line);
  }
  return 0;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  const auto wanted = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("config", "Print every config key: type, allowed values, default, unit, help");
  command->add_option("key", *wanted, "Only this table (optimizer) or key (optimizer.lr)");
  command->footer("Example:\n  mpdist config optimizer");
  command->callback(
      [&action, wanted] { action = [wanted] { return run_alone([&] { return print_keys(*wanted); }); }; });
}

}  // namespace mpdist::launch
