// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "kernels/threads.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "launch/process.hpp"
#include "launch/run_context.hpp"
#include "launch/shared_config.hpp"
#include "src/train/agreement.hpp"
#include "src/train/study.hpp"

namespace mpdist::launch {
namespace {

struct StudyArguments {
  ConfigArguments config;
  train::StudyOptions options;
};

/// What the study itself sets cannot be set beside it.
void refuse_own_keys(const std::vector<std::string>& overrides) {
  for (const std::string& override : overrides) {
    for (const char* key : {"precision.compute=", "precision.loss_scale="}) {
      if (!override.starts_with(key)) continue;
      throw UsageError(
          fmt::format("--set {}: the study sets this key itself; choose what is compared with --settings "
                      "and --constant-scale",
                      override));
    }
  }
}

int study(const StudyArguments& arguments) {
  const auto started = std::chrono::steady_clock::now();
  catch_stop_signals();
  return run_on_all_ranks(first_look_at_threads(arguments.config), [&](comm::Communicator& communicator) {
    train::together(communicator, [&] { refuse_own_keys(arguments.config.overrides); });
    const train::Config config = read_shared_config(arguments.config, communicator);
    kernels::cpu::set_threads(static_cast<int>(config.run.threads_per_rank));
    const train::ComputeDevice device(config.run.device, communicator);
    return static_cast<int>(train::run_study(config, arguments.options, communicator, run_context(started, device)));
  });
}

constexpr const char* kFooter = R"(Settings: fp32; fp16-unscaled (loss scale 1); fp16-constant; fp16-dynamic; bf16.
Runs go to <run.output>_study/<setting>/seed_<seed>; the tables to study.md and study.json beside them. Finished runs
are read and not run again, so a stopped or killed study goes on where it was.

Example:
  mpirun -np 2 mpdist precision-study train.toml --seeds 5 --set run.epochs=4)";

}  // namespace

void add_precision_study(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<StudyArguments>();
  CLI::App* command =
      app.add_subcommand("precision-study", "Train in FP32, FP16 and BF16 with several seeds and compare");
  add_config_arguments(*command, arguments->config);
  command->add_option("--settings", arguments->options.settings, "Compare these only, separated by commas")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--seeds", arguments->options.seeds, "Runs of each setting: run.seed and the seeds after it")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  command->add_option("--constant-scale", arguments->options.constant_scale, "Loss scale of fp16-constant")
      ->capture_default_str();
  command->footer(kFooter);
  command->callback([&action, arguments] { action = [arguments] { return study(*arguments); }; });
}

}  // namespace mpdist::launch
