// SPDX-License-Identifier: Apache-2.0
#include "src/train/trainer.hpp"

#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>

#include "kernels/threads.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "launch/process.hpp"
#include "launch/run_context.hpp"
#include "launch/shared_config.hpp"

namespace mpdist::launch {
namespace {

int train_command(const ConfigArguments& arguments) {
  const auto started = std::chrono::steady_clock::now();
  catch_stop_signals();
  return run_on_all_ranks(first_look_at_threads(arguments), [&](comm::Communicator& communicator) {
    const train::Config config = read_shared_config(arguments, communicator);
    kernels::cpu::set_threads(static_cast<int>(config.run.threads_per_rank));
    const train::ComputeDevice device(config.run.device, communicator);
    return static_cast<int>(train::run(config, communicator, run_context(started, device)));
  });
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<ConfigArguments>();
  add_config_arguments(app, *arguments);
  app.parse_complete_callback([&app, &action, arguments] {
    if (app.get_subcommands().empty()) action = [arguments] { return train_command(*arguments); };
  });
}

}  // namespace mpdist::launch
