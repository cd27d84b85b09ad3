// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace mpdist::launch {

/// What the command line asked for; returns the exit code.
using Action = std::function<int()>;

/// Adds one subcommand with its arguments and help; when the command line names it, `action` is set. One file each.
void add_check(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_diff(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_precision_study(CLI::App& app, Action& action);
/// The default, without a subcommand: `mpdist train.toml`.
void add_train(CLI::App& app, Action& action);

/// A config file and its overrides, as several commands take them.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> overrides;
};
/// Adds --set.
void add_overrides(CLI::App& app, std::vector<std::string>& overrides);
/// Adds the positional config file and --set.
void add_config_arguments(CLI::App& app, ConfigArguments& arguments);

}  // namespace mpdist::launch
