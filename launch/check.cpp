// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "data/augmentation.hpp"
#include "kernels/tensor_cores.hpp"
#include "kernels/threads.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "launch/shared_config.hpp"
#include "src/checkpoint/folder.hpp"
#include "src/core/cuda.hpp"
#include "src/train/datasets.hpp"
#include "src/train/initial_weights.hpp"
#include "src/train/memory.hpp"
#include "src/train/plan.hpp"
#include "src/train/state.hpp"

namespace mpdist::launch {
namespace {

void print(const std::string& what, const std::string& value) {
  fmt::print("{:<16}{}\n", what, value);
}

std::string amount(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

void print_data(const train::Config& config, const data::Datasets& data) {
  print("data",
        fmt::format("{}: {} training and {} test images {}, {} classes", config.data.format.name, data.train->size(),
                    data.test->size(), data.train->image_shape().to_string(), data.train->classes()));
}

void print_ranks(const train::Plan& plan) {
  print("batch", fmt::format("{} samples = {} shards of {}", plan.global_batch, plan.shards, plan.shard_rows));
  print("ranks that fit", fmt::format("{}", fmt::join(train::fitting_ranks(plan.shards), ", ")));
  print("ranks", fmt::format("{}: {} shard{} of {} samples each", plan.ranks, plan.local_shards,
                             plan.local_shards == 1 ? "" : "s", plan.shard_rows));
}

void print_length(const train::Config& config, const train::Plan& plan) {
  const double batches = static_cast<double>(plan.samples) / static_cast<double>(plan.global_batch);
  const std::string steps = config.run.steps > 0 ? fmt::format("{} applied updates", plan.max_steps)
                                                 : fmt::format("{} batches", plan.max_attempted);
  print("length", fmt::format("{} ({:.2f} batches an epoch)", steps, batches));
}

/// Whether ranks would compute on GPUs.
bool plans_gpus(const train::Config& config) {
  return config.run.device == "cuda" || (config.run.device == "auto" && cuda::status().devices > 0);
}

/// How the layer of a weight reaches the matrix units of a GPU, where that is not in full: "  Tensor Cores padded".
std::string tensor_cores(const Parameter& p, DType type) {
  if (p.role != ParameterRole::weight || p.shape.rank() < 2) return "";
  const bool convolution = p.shape.rank() == 4;
  const std::int64_t out = p.shape[0], in = p.shape[-1];
  const std::int64_t groups = convolution ? out * p.shape[1] * p.shape[2] / p.fan_out : 1;
  const kernels::TensorCores use = convolution ? kernels::tensor_cores_of_convolution(type, in * groups, out, groups)
                                               : kernels::tensor_cores_of_linear(type, in, out);
  return use == kernels::TensorCores::full ? "" : fmt::format("  Tensor Cores {}", name_of(use));
}

void print_model(const train::Config& config, const train::TrainingState& state) {
  const ParameterStore& store = state.store;
  const std::string frozen = store.frozen() == 0 ? "" : fmt::format(", {} of them frozen", store.frozen());
  print("model", fmt::format("{}: {} parameters{}", config.model.name, store.trainable() + store.frozen(), frozen));
  for (const Parameter& p : store.registered()) {
    fmt::print("    {:<23} {:<19} {:>10}{}{}\n", p.name, p.shape.to_string(), p.elements(), p.frozen ? "  frozen" : "",
               plans_gpus(config) ? tensor_cores(p, store.compute_type()) : "");
  }
}

void print_device(const train::Config& config) {
  const cuda::Status here = cuda::status();
  const std::string gpus = here.devices > 0 ? fmt::format("{} here", here.devices) : "none here: " + here.reason;
  print("device", plans_gpus(config) ? fmt::format("a GPU a rank ({})", gpus) : "the CPU");
}

/// The peak of the busiest rank, rehearsed at full size on the CPU: what peak_bytes at the end of the run will say.
void print_memory(const train::MemoryForecast& forecast, bool gpu) {
  std::vector<std::string> kinds;
  for (std::size_t kind = 0; kind < forecast.peak.size(); ++kind) {
    kinds.push_back(fmt::format("{} {}", name_of(static_cast<MemoryKind>(kind)), amount(forecast.peak[kind])));
  }
  print("memory a rank", fmt::format("{} at most: {}", amount(forecast.total()), fmt::join(kinds, ", ")));
  if (gpu) {
    fmt::print(
        "{:<16}that is on the CPU: a GPU needs as much for parameters, optimizer, gradients and activations; its "
        "workspace is not forecast\n",
        "");
  }
}

void print_output(const train::Config& config) {
  const std::filesystem::path output = config.run.output_directory();
  const auto newest = checkpoint::latest((output / "checkpoints").string());
  const std::string& resume = config.checkpoint.resume;
  print("output", output.string() + (std::filesystem::exists(output) ? "" : " (new)"));
  if (resume != "auto") {
    print("resume", resume == "never" ? "never" : "from " + resume);
  } else {
    print("resume", newest ? "auto: from " + newest->path : "auto: nothing to resume, starts at step 0");
  }
}

int check(const ConfigArguments& arguments, int ranks) {
  const train::Config config = read_config(arguments);
  kernels::cpu::set_threads(static_cast<int>(config.run.threads_per_rank));  // scratch memory follows it
  const data::Datasets data = train::open_datasets(config);
  const train::Plan plan = train::make_plan(config, data.train->size(), ranks);
  const data::Augmentation augmentation(config.data.augmentation, data.train->image_shape(),
                                        static_cast<std::uint64_t>(config.run.seed));
  Stream stream;
  train::TrainingState state(config, data.train->image_shape(), data.train->classes(), stream);
  print("run", fmt::format("{}, seed {}", config.run.name, config.run.seed));
  print_data(config, data);
  print_ranks(plan);
  print_length(config, plan);
  print_device(config);
  print("precision", fmt::format("{}, loss scale {}", config.precision.compute,
                                 config.precision.scaler_options().dynamic
                                     ? fmt::format("dynamic from {}", config.precision.scaler.initial)
                                     : fmt::format("fixed at {}", config.precision.scaler_options().initial)));
  print_model(config, state);
  if (train::starts_from_init(config)) print("weights from", train::read_initial_weights(state, config, stream).text());
  print_memory(train::forecast_memory(config, plan, state, data, augmentation, stream), plans_gpus(config));
  print_output(config);
  return 0;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<ConfigArguments>();
  const auto ranks = std::make_shared<int>(1);
  CLI::App* command = app.add_subcommand("check", "Validate a config and print the plan, without training");
  add_config_arguments(*command, *arguments);
  command->add_option("--ranks", *ranks, "Plan for so many ranks")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->footer("Example:\n  mpdist check train.toml --ranks 8");
  command->callback([&action, arguments, ranks] {
    action = [arguments, ranks] { return run_alone([&] { return check(*arguments, *ranks); }); };
  });
}

}  // namespace mpdist::launch
