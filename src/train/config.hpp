// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/augmentation.hpp"
#include "src/core/dtype.hpp"
#include "src/core/schema.hpp"
#include "src/optim/optimizer.hpp"
#include "src/precision/loss_scaler.hpp"
#include "src/precision/policy.hpp"

namespace mpdist::train {

/// One struct a table of the config file; defaults stand here and nowhere else.
struct RunConfig {
  std::string name = "run";
  std::string output = "runs/{name}";  ///< {name} is replaced
  std::int64_t seed = 1;
  double epochs = 0;       ///< exactly one of epochs, steps
  std::int64_t steps = 0;  ///< applied updates
  std::string device = "auto";
  std::int64_t threads_per_rank = 1;
  std::int64_t audit_every = 100;  ///< attempted steps
  double time_limit_s = 0;         ///< 0: none
  bool branch = false;
  std::string output_directory() const;  ///< `output` with {name} replaced
};

struct BatchConfig {
  std::int64_t global = 128;
  std::int64_t shards = 8;
};

struct PrecisionConfig {
  std::string compute = "fp16";
  NumberOrWord loss_scale{.number = 0, .word = "dynamic"};
  precision::LossScalerOptions scaler;  ///< the scale_* keys; `dynamic` is not set here
  std::int64_t telemetry_every = 0;     ///< attempted steps; 0: none
  DType compute_type() const;
  precision::Policy policy() const { return {compute_type()}; }
  /// What the run's LossScaler gets: bf16 and fp32 are fixed at 1, a number in loss_scale is fixed, else dynamic.
  precision::LossScalerOptions scaler_options() const;
};

struct CommConfig {
  std::string reduction = "tree";
  std::string wire = "auto";  ///< fp16 with fp16 compute, fp32 otherwise
  double bucket_mib = 25;
  DType wire_type(DType compute) const;
};

struct CheckpointConfig {
  std::int64_t every = 0;     ///< applied updates; 0: by time only
  double every_minutes = 15;  ///< 0: never by time
  std::int64_t keep = 3;
  std::string best = "accuracy";  ///< or "loss", "none"
  std::string resume = "auto";    ///< or "never", or the path of a checkpoint
};

/// A table whose other keys belong to what `name` (or `format`) selects.
struct Selected {
  std::string name = {};
  std::shared_ptr<Options> options = {};
};

struct DataConfig {
  Selected format;  ///< key "format"
  std::string path;
  data::AugmentationOptions augmentation;
  std::int64_t workers = 1;
  std::int64_t prefetch = 2;
};

struct OptimizerConfig {
  Selected optimizer{.name = "sgd"};
  optim::OptimizerOptions common;
};

struct EvaluateConfig {
  std::int64_t every = 0;  ///< applied updates; 0: at the end only
};

struct LogConfig {
  std::int64_t every = 10;  ///< attempted steps
};

/// Keys init, init_skip of [model]: the weights that a new run starts from.
struct InitConfig {
  std::string checkpoint;         ///< empty: fresh ones
  std::vector<std::string> skip;  ///< patterns of names that keep their fresh values
};

struct Config {
  RunConfig run;
  BatchConfig batch;
  PrecisionConfig precision;
  Selected model;
  double label_smoothing = 0;       ///< [model] label_smoothing
  std::vector<std::string> freeze;  ///< [model] freeze: patterns of parameter names
  DataConfig data;
  OptimizerConfig optimizer;
  Selected schedule{.name = "constant"};
  CommConfig comm;
  CheckpointConfig checkpoint;
  EvaluateConfig evaluate;
  LogConfig log;
  InitConfig init;
};

/// The text of a config file; UsageError when it cannot be read or is no text of a config's size.
std::string read_config_text(const std::string& path);
/// Reads a TOML text (`origin` stands for the file in messages) and the `--set table.key=value` overrides. All problems
/// are UsageError with file, line, column, what was expected and found, and the nearest known key. Setting one of
/// run.epochs and run.steps by an override takes the other out.
Config parse_config(const std::string& text, const std::string& origin, const std::vector<std::string>& overrides);

/// The config as TOML with every key filled in: output/config.toml, and its digest in the start-up check.
std::string to_toml(const Config& config);

/// Every key ("optimizer.lr") and its value as TOML, in the order of the tables. A list of tables stands as its length
/// ("optimizer.groups", "2 tables") and the keys of its elements ("optimizer.groups[0].pattern").
std::vector<std::pair<std::string, std::string>> key_values(const Config& config);

/// Fixed keys whose values differ between the config a checkpoint was written with and this one: "optimizer.lr: 0.1 in
/// the checkpoint, 0.05 in the config" for each key that a resume may not change.
std::vector<std::string> fixed_differences(const Config& saved, const Config& now);

/// One line of `mpdist config`.
struct KeyLine {
  std::string key;  ///< "optimizer.momentum"; "optimizer.groups[].pattern" in each element of a list of tables
  std::string
      owner;  ///< "sgd" for an own key of what a table selects, "sequential: conv2d" of an element; empty: always
  std::string type, default_value, unit, allowed, help;
  bool resume_may_change = false;
};
/// Every key of every table, and the own keys of every model, format, optimizer and schedule.
std::vector<KeyLine> all_keys();

}  // namespace mpdist::train
