// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "launch/checkpoint_file.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/checkpoint/checkpoint.hpp"
#include "src/checkpoint/summary.hpp"
#include "src/core/error.hpp"

namespace mpdist::launch {
namespace {

int inspect(const std::string& argument, bool config_only) {
  const std::string path = checkpoint_file(argument);
  const checkpoint::Checkpoint checkpoint = checkpoint::read(path);
  if (!config_only) {
    fmt::print("{}\n{}", path, checkpoint::summary(checkpoint));
    return 0;
  }
  const auto config = checkpoint.texts.find("run/config");
  if (config == checkpoint.texts.end()) throw FormatError(path, "run/config", "is missing");
  fmt::print("{}", config->second);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  const auto path = std::make_shared<std::string>();
  const auto config_only = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("inspect", "Verify a checkpoint and print what is in it");
  command->add_option("checkpoint", *path, "Checkpoint, or output directory of a run (its newest)")
      ->type_name("PATH")
      ->required();
  command->add_flag("--config", *config_only, "Print the config that it was written with, as TOML, and nothing else");
  command->footer(
      "Example:\n  mpdist inspect runs/fashion_mnist\n  mpdist inspect runs/fashion_mnist --config > again.toml");
  command->callback([&action, path, config_only] {
    action = [path, config_only] { return run_alone([&] { return inspect(*path, *config_only); }); };
  });
}

}  // namespace mpdist::launch
