// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "kernels/threads.hpp"
#include "launch/checkpoint_file.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/checkpoint/checkpoint.hpp"
#include "src/core/error.hpp"
#include "src/core/log.hpp"
#include "src/train/agreement.hpp"
#include "src/train/datasets.hpp"
#include "src/train/device.hpp"
#include "src/train/evaluator.hpp"

namespace mpdist::launch {
namespace {

struct Arguments {
  std::string checkpoint;
  std::vector<std::string> overrides;
};

/// A checkpoint and the config that it keeps. Every rank reads the file.
struct Source {
  std::string path;
  checkpoint::Checkpoint checkpoint;
  train::Config config;

  explicit Source(const Arguments& arguments)
      : path(checkpoint_file(arguments.checkpoint)), checkpoint(checkpoint::read(path)) {
    const auto text = checkpoint.texts.find("run/config");
    if (text == checkpoint.texts.end()) throw FormatError(path, "run/config", "is missing");
    config = train::parse_config(text->second, path, arguments.overrides);
    kernels::cpu::set_threads(static_cast<int>(config.run.threads_per_rank));
  }
};

/// All that evaluation needs, on the device of this rank.
struct Subject {
  data::Datasets data;
  train::Plan plan;
  std::optional<data::Augmentation> augmentation;
  Stream stream;
  std::unique_ptr<train::TrainingState> state;

  Subject(const Source& source, int ranks, Pool& pool) : stream(pool) {
    const train::Config& config = source.config;
    data = train::open_datasets(config);
    plan = train::make_plan(config, data.train->size(), ranks);
    augmentation.emplace(config.data.augmentation, data.test->image_shape(),
                         static_cast<std::uint64_t>(config.run.seed));
    state = std::make_unique<train::TrainingState>(config, data.test->image_shape(), data.test->classes(), stream);
    train::from_checkpoint(*state, source.checkpoint, source.path, stream);
  }
};

int evaluate(const Arguments& arguments, comm::Communicator& communicator) {
  std::unique_ptr<Source> source;
  train::together(communicator, [&] { source = std::make_unique<Source>(arguments); });
  const train::ComputeDevice device(source->config.run.device, communicator);
  std::unique_ptr<Subject> subject;
  train::together(communicator,
                  [&] { subject = std::make_unique<Subject>(*source, communicator.size(), device.pool()); });
  const train::Evaluation evaluation =
      train::evaluate(source->config, subject->plan, *subject->state, *subject->data.test, *subject->augmentation,
                      communicator, subject->stream);
  if (!device.note().empty()) log::info("{}", device.note());
  if (log::speaks()) {
    fmt::print("step {}: accuracy {:.4f}, loss {:.6f} on {} samples ({})\n", subject->state->step, evaluation.accuracy,
               evaluation.loss, evaluation.samples, source->path);
  }
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("evaluate", "Evaluate a checkpoint on the test data of its config");
  command->add_option("checkpoint", arguments->checkpoint, "Checkpoint, or output directory of a run (its newest)")
      ->type_name("PATH")
      ->required();
  add_overrides(*command, arguments->overrides);
  command->footer("Example:\n  mpirun -np 2 mpdist evaluate runs/fashion_mnist --set data.path=/data/fashion-mnist");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_on_all_ranks(1, [&](comm::Communicator& communicator) { return evaluate(*arguments, communicator); });
    };
  });
}

}  // namespace mpdist::launch
