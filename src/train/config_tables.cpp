// SPDX-License-Identifier: Apache-2.0
#include "src/train/config_tables.hpp"

#include "data/registry.hpp"
#include "src/models/registry.hpp"
#include "src/optim/schedule.hpp"

namespace mpdist::train {
namespace {

constexpr double kLargestScale = 0x1p60;

void describe(RunConfig& run, Schema& schema) {
  schema.key("name", run.name, {.help = "name of the run; {name} in `output`"})
      .key("output", run.output, {.help = "output directory", .resume_may_change = true})
      .key("seed", run.seed, {.help = "key of every random draw", .minimum = 0})
      .key("epochs", run.epochs,
           {.help = "length of the run in passes over the data; exactly one of epochs and steps is above 0",
            .unit = "epochs",
            .minimum = 0,
            .maximum = 1e6,
            .resume_may_change = true})
      .key("steps", run.steps,
           {.help = "length of the run in applied updates; exactly one of epochs and steps is above 0",
            .unit = "steps",
            .minimum = 0,
            .maximum = 1e12,
            .resume_may_change = true})
      .key("device", run.device,
           {.help = "where ranks compute", .allowed = {"auto", "cpu", "cuda"}, .resume_may_change = true})
      .key("threads_per_rank", run.threads_per_rank,
           {.help = "compute threads of a rank; other counts give other bits", .minimum = 1, .maximum = 1024})
      .key("audit_every", run.audit_every,
           {.help = "compare weights and optimizer state of all ranks every so many attempted steps",
            .unit = "steps",
            .minimum = 1,
            .resume_may_change = true})
      .key("time_limit_s", run.time_limit_s,
           {.help = "save and stop after this time; 0: no limit", .unit = "s", .minimum = 0, .resume_may_change = true})
      .key("branch", run.branch,
           {.help = "resume although fixed keys differ: a new branch of the run", .resume_may_change = true});
}

void describe(BatchConfig& batch, Schema& schema) {
  schema
      .key("global", batch.global,
           {.help = "samples of one step over all ranks", .unit = "samples", .minimum = 1, .maximum = 1 << 24})
      .key("shards", batch.shards,
           {.help = "equal parts of the global batch; N ranks need shards / N = 1, 2, 4, ...",
            .minimum = 1,
            .maximum = 65536});
}

void describe(PrecisionConfig& precision, Schema& schema) {
  precision::LossScalerOptions& scaler = precision.scaler;
  const auto scale = [](std::string help) {
    return KeyDoc{.help = std::move(help),
                  .minimum = 0,
                  .maximum = kLargestScale,
                  .minimum_excluded = true,
                  .power_of_two = true};
  };
  KeyDoc loss_scale = scale("\"dynamic\", or a fixed scale; bf16 and fp32 run at 1");
  loss_scale.words = {"dynamic"};
  schema
      .key("compute", precision.compute,
           {.help = "type of matrix work, activations and working weights", .allowed = {"fp16", "bf16", "fp32"}})
      .key("loss_scale", precision.loss_scale, loss_scale)
      .key("scale_initial", scaler.initial, scale("first dynamic loss scale"))
      .key("scale_growth", scaler.growth,
           {.help = "factor after scale_interval clean steps", .minimum = 2, .maximum = 65536, .power_of_two = true})
      .key("scale_backoff", scaler.backoff,
           {.help = "factor after an overflow",
            .minimum = 0,
            .maximum = 0.5,
            .minimum_excluded = true,
            .power_of_two = true})
      .key("scale_interval", scaler.interval,
           {.help = "clean steps before the scale grows", .unit = "steps", .minimum = 1})
      .key("scale_floor", scaler.floor, scale("smallest dynamic loss scale"))
      .key("scale_ceiling", scaler.ceiling, scale("largest dynamic loss scale"))
      .key("hysteresis", scaler.hysteresis, {.help = "overflows before the scale falls", .minimum = 1})
      .key("patience", scaler.patience,
           {.help = "skipped steps in a row at the floor that end the run", .unit = "steps", .minimum = 1})
      .key("telemetry_every", precision.telemetry_every,
           {.help = "count the exponents of all gradients every so many attempted steps; 0: never",
            .unit = "steps",
            .minimum = 0,
            .resume_may_change = true});
}

void describe(InitConfig& init, Schema& schema) {
  schema
      .key("init", init.checkpoint,
           {.help = "checkpoint whose weights and statistics a new run starts from; empty: fresh ones"})
      .key("init_skip", init.skip,
           {.help = "parameters that keep their fresh values all the same, by name; * stands for any characters"});
}

void describe(DataConfig& data, Schema& schema) {
  data::AugmentationOptions& augmentation = data.augmentation;
  schema.key("path", data.path, {.help = "file or folder of the data", .resume_may_change = true})
      .key("mean", augmentation.mean, {.help = "subtracted from each channel; pixels are in [0, 1]"})
      .key("std", augmentation.std, {.help = "each channel is divided by it", .minimum = 0, .minimum_excluded = true})
      .key("augment", augmentation.augment, {.help = "random changes of training images", .allowed = {"crop", "flip"}})
      .key("crop_padding", augmentation.crop_padding,
           {.help = "zeros around an image before its random crop", .unit = "pixels", .minimum = 0, .maximum = 1024})
      .key("workers", data.workers,
           {.help = "threads that prepare batches; 0: the rank's own",
            .minimum = 0,
            .maximum = 256,
            .resume_may_change = true})
      .key("prefetch", data.prefetch,
           {.help = "batches prepared ahead", .minimum = 1, .maximum = 1024, .resume_may_change = true});
}

void describe(optim::OptimizerOptions& optimizer, Schema& schema) {
  schema.key("lr", optimizer.lr, {.help = "learning rate before the schedule", .minimum = 0})
      .key("weight_decay", optimizer.weight_decay, {.help = "of weights; none on biases and norms", .minimum = 0})
      .key("decay", optimizer.decay,
           {.help = "decoupled: on the weights (AdamW, SGDW); coupled: added to the gradient (L2)",
            .allowed = {"decoupled", "coupled"}})
      .key("clip_norm", optimizer.clip_norm,
           {.help = "largest global norm of the unscaled gradient; 0: no clipping", .minimum = 0})
      .key("ema_decay", optimizer.ema_decay,
           {.help = "decay of the average of the weights; 0: none",
            .minimum = 0,
            .maximum = 1,
            .maximum_excluded = true})
      .key("groups", optimizer.groups,
           {.help = "parameters with their own rate and decay; the first group whose pattern matches counts"});
}

void describe(CommConfig& comm, Schema& schema) {
  schema
      .key("reduction", comm.reduction,
           {.help = "tree: the same bits at any number of ranks; library: the library's sum, at equal ranks only",
            .allowed = {"tree", "library"}})
      .key("wire", comm.wire,
           {.help = "type in which gradients travel; auto: fp16 with fp16 compute, else fp32",
            .allowed = {"auto", "fp16", "bf16", "fp32"}})
      .key("bucket_mib", comm.bucket_mib,
           {.help = "gradients exchanged at once",
            .unit = "MiB",
            .minimum = 0,
            .maximum = 4096,
            .minimum_excluded = true});
}

void describe(CheckpointConfig& checkpoint, Schema& schema) {
  schema
      .key("every", checkpoint.every,
           {.help = "save every so many applied updates; 0: by time only",
            .unit = "steps",
            .minimum = 0,
            .resume_may_change = true})
      .key("every_minutes", checkpoint.every_minutes,
           {.help = "save after this time; 0: never by time", .unit = "min", .minimum = 0, .resume_may_change = true})
      .key(
          "keep", checkpoint.keep,
          {.help = "newest checkpoints kept, beside the best", .minimum = 1, .maximum = 1e6, .resume_may_change = true})
      .key("best", checkpoint.best,
           {.help = "evaluation result whose best checkpoint is kept",
            .allowed = {"accuracy", "loss", "none"},
            .resume_may_change = true})
      .key(
          "resume", checkpoint.resume,
          {.help = "auto: from the newest in `output`; never; or the path of a checkpoint", .resume_may_change = true});
}

void describe_own(const Selected& selected, Schema& schema) {
  if (selected.options) selected.options->describe(schema);
}

template <class Registry>
std::vector<Choice::Entry> entries_of(const Registry& registry) {
  std::vector<Choice::Entry> entries;
  for (const auto& entry : registry) entries.push_back({entry.name, entry.options});
  return entries;
}

}  // namespace

std::vector<std::string> Choice::names() const {
  std::vector<std::string> all;
  all.reserve(entries.size());
  for (const Entry& entry : entries) all.push_back(entry.name);
  return all;
}

std::vector<Choice> choices(Config& config) {
  return {{"model", "name", &config.model, entries_of(models::models())},
          {"data", "format", &config.data.format, entries_of(data::formats())},
          {"optimizer", "name", &config.optimizer.optimizer, entries_of(optim::optimizers())},
          {"schedule", "name", &config.schedule, entries_of(optim::schedules())}};
}

std::vector<Table> tables(Config& config) {
  std::vector<Table> all;
  for (const char* name : {"run", "batch", "precision", "model", "data", "optimizer", "schedule", "comm", "checkpoint",
                           "evaluate", "log"}) {
    all.push_back({name, {}});
  }
  const auto schema = [&](std::string_view name) -> Schema& {
    for (Table& table : all) {
      if (table.name == name) return table.schema;
    }
    throw InvalidArgument("no such config table");
  };
  for (const Choice& choice : choices(config)) {
    schema(choice.table)
        .key(choice.key, choice.selected->name,
             {.help = "selects the table's own keys",
              .allowed = choice.names(),
              .required = choice.selected->name.empty()});
  }
  describe(config.run, schema("run"));
  describe(config.batch, schema("batch"));
  describe(config.precision, schema("precision"));
  schema("model")
      .key("label_smoothing", config.label_smoothing,
           {.help = "share of the target spread evenly over all classes",
            .minimum = 0,
            .maximum = 1,
            .maximum_excluded = true})
      .key("freeze", config.freeze,
           {.help = "parameters that training leaves alone, by name; * stands for any characters"});
  describe(config.init, schema("model"));
  describe_own(config.model, schema("model"));
  describe(config.data, schema("data"));
  describe_own(config.data.format, schema("data"));
  describe(config.optimizer.common, schema("optimizer"));
  describe_own(config.optimizer.optimizer, schema("optimizer"));
  describe_own(config.schedule, schema("schedule"));
  describe(config.comm, schema("comm"));
  describe(config.checkpoint, schema("checkpoint"));
  schema("evaluate")
      .key("every", config.evaluate.every,
           {.help = "evaluate every so many applied updates; 0: at the end only",
            .unit = "steps",
            .minimum = 0,
            .resume_may_change = true});
  schema("log").key(
      "every", config.log.every,
      {.help = "a line every so many attempted steps", .unit = "steps", .minimum = 1, .resume_may_change = true});
  return all;
}

}  // namespace mpdist::train
