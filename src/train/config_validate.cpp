// SPDX-License-Identifier: Apache-2.0
#include "src/train/config_validate.hpp"

#include <fmt/format.h>

namespace mpdist::train {
namespace {

void validate_run(const RunConfig& run, const ConfigSource& source) {
  if (run.epochs > 0 && run.steps > 0) source.fail("run.steps", "expected one of run.epochs and run.steps, found both");
  if (run.epochs == 0 && run.steps == 0)
    source.fail("run.epochs", "expected one of run.epochs and run.steps above 0, found none");
  if (run.name.empty() || run.name.find('/') != std::string::npos || run.name.front() == '.') {
    source.fail(
        "run.name",
        fmt::format("expected a name that can stand in a path, without '/' and no '.' first; found '{}'", run.name));
  }
  const std::string output = run.output_directory();
  if (output.empty()) source.fail("run.output", "expected a path, found nothing");
  if (output.find('{') != std::string::npos) source.fail("run.output", "expected no placeholder but {name}");
}

void validate_batch(const BatchConfig& batch, const ConfigSource& source) {
  if (batch.global % batch.shards != 0) {
    source.fail("batch.global",
                fmt::format("expected a multiple of batch.shards = {}, found {}; the nearest are {} and {}",
                            batch.shards, batch.global, batch.global / batch.shards * batch.shards,
                            (batch.global / batch.shards + 1) * batch.shards));
  }
}

void validate_precision(const PrecisionConfig& precision, const ConfigSource& source) {
  const precision::LossScalerOptions& scaler = precision.scaler;
  if (scaler.floor > scaler.initial) {
    source.fail("precision.scale_floor",
                fmt::format("expected at most scale_initial = {}, found {}", scaler.initial, scaler.floor));
  }
  if (scaler.ceiling < scaler.initial) {
    source.fail("precision.scale_ceiling",
                fmt::format("expected at least scale_initial = {}, found {}", scaler.initial, scaler.ceiling));
  }
  const bool fixed = precision.loss_scale.word.empty();
  if (fixed && precision.compute_type() != DType::fp16 && precision.loss_scale.number != 1) {
    source.fail("precision.loss_scale", fmt::format("found {}, but compute = \"{}\" runs at scale 1; leave the key out",
                                                    precision.loss_scale.number, precision.compute));
  }
}

void validate_init(const InitConfig& init, const ConfigSource& source) {
  if (init.checkpoint.empty() && !init.skip.empty())
    source.fail("model.init_skip", "expected model.init beside it, the checkpoint that the other parameters come from");
}

void validate_data(const data::AugmentationOptions& augmentation, const ConfigSource& source) {
  if (augmentation.mean.empty()) source.fail("data.mean", "expected one value per channel, found none");
  if (augmentation.mean.size() != augmentation.std.size()) {
    source.fail("data.std", fmt::format("expected as many values as data.mean has, {}; found {}",
                                        augmentation.mean.size(), augmentation.std.size()));
  }
}

}  // namespace

void validate(const Config& config, const ConfigSource& source) {
  validate_run(config.run, source);
  validate_batch(config.batch, source);
  validate_precision(config.precision, source);
  validate_init(config.init, source);
  validate_data(config.data.augmentation, source);
}

}  // namespace mpdist::train
