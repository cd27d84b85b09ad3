// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "launch/checkpoint_file.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/checkpoint/compare.hpp"

namespace mpdist::launch {
namespace {

int diff(const std::string& first, const std::string& second) {
  const checkpoint::Comparison comparison =
      checkpoint::compare(checkpoint::read(checkpoint_file(first)), checkpoint::read(checkpoint_file(second)));
  fmt::print("{}", comparison.to_string());
  return comparison.identical() ? 0 : 1;
}

}  // namespace

void add_diff(CLI::App& app, Action& action) {
  const auto first = std::make_shared<std::string>();
  const auto second = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("diff", "Compare the tensors of two checkpoints bit for bit; exit 1 when they differ");
  command->add_option("first", *first, "Checkpoint, or output directory of a run (its newest)")
      ->type_name("A")
      ->required();
  command->add_option("second", *second, "Another one")->type_name("B")->required();
  command->footer("Example:\n  mpdist diff runs/a/checkpoints/step_00000050.h5 runs/b/checkpoints/step_00000050.h5");
  command->callback([&action, first, second] {
    action = [first, second] { return run_alone([&] { return diff(*first, *second); }); };
  });
}

}  // namespace mpdist::launch
