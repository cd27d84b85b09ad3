// SPDX-License-Identifier: Apache-2.0
#include "launch/program.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "launch/build.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/core/error.hpp"
#include "src/train/suggest.hpp"

namespace mpdist::launch {
namespace {

constexpr const char* kExamples = R"(Examples:
  mpirun -np 2 mpdist launch/configs/fashion_mnist.toml
  mpirun -np 8 mpdist train.toml --set optimizer.lr=0.05 --set run.output=runs/a
  mpdist check train.toml --ranks 8

Exit codes: 0 done; 1 internal error; 2 usage or config; 65 bad data or numerics that cannot go on;
70 ranks disagree; 75 try again; 85 stopped on request with a checkpoint saved.)";

/// The command that the word in the config file's place was meant to be, "inspct"; empty when it is a file or nothing
/// near.
std::string misspelt_command(const CLI::App& app) {
  const CLI::Option* file = app.get_option("config");
  if (file->count() == 0 || std::filesystem::exists(file->as<std::string>())) return {};
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const std::string near = train::nearest(file->as<std::string>(), commands);
  return near.empty()
             ? ""
             : fmt::format("'{}' is no config file; did you mean the command '{}'?", file->as<std::string>(), near);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string misspelt = misspelt_command(app);
  throw UsageError((misspelt.empty() ? one_line(error.what()) : misspelt) + " See `mpdist --help`.");
}

}  // namespace

int program(int argc, char** argv) {
  CLI::App app{"Trains neural networks in mixed precision on all processes that MPI starts: mpdist train.toml",
               "mpdist"};
  app.set_version_flag("--version", build_text());
  app.footer(kExamples);
  app.require_subcommand(0, 1);
  Action action;
  add_train(app, action);
  for (const auto add :
       {add_check, add_config, add_convert, add_evaluate, add_inspect, add_diff, add_doctor, add_precision_study}) {
    add(app, action);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return run_alone([&] { return app.exit(wanted); });
  } catch (const CLI::ParseError& error) {
    return run_alone([&]() -> int { refuse(app, error); });
  }
  const std::string misspelt = misspelt_command(app);
  if (!misspelt.empty()) return run_alone([&]() -> int { throw UsageError(misspelt); });
  return action();
}

}  // namespace mpdist::launch
