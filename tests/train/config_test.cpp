// SPDX-License-Identifier: Apache-2.0
#include "src/train/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

constexpr const char* kMinimal = R"([run]
steps = 10
[model]
name = "mlp"
[data]
format = "synthetic"
)";

Config parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_config(text, "file.toml", overrides);
}

/// The message of the UsageError that parsing throws.
std::string complaint(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Config, defaults_stand_where_the_file_is_silent) {
  const Config config = parse(kMinimal);
  EXPECT_EQ(config.run.steps, 10);
  EXPECT_EQ(config.batch.shards, 8);
  EXPECT_EQ(config.precision.loss_scale.word, "dynamic");
  EXPECT_EQ(config.precision.scaler.initial, 65536);
  EXPECT_EQ(config.optimizer.optimizer.name, "sgd");
  EXPECT_EQ(config.schedule.name, "constant");
  EXPECT_TRUE(config.model.options && config.data.format.options && config.schedule.options);
  EXPECT_EQ(config.run.output_directory(), "runs/run");
}

TEST(Config, values_are_read_by_type) {
  const Config config = parse(std::string(kMinimal) + R"(mean = [1, 0.5]
std = [1.0, 2]
augment = ["flip", "crop"]
[optimizer]
lr = 1
[precision]
loss_scale = 1024
)");
  EXPECT_EQ(config.data.augmentation.mean, (std::vector<double>{1.0, 0.5}));
  EXPECT_EQ(config.data.augmentation.std, (std::vector<double>{1.0, 2.0}));
  EXPECT_EQ(config.data.augmentation.augment, (std::vector<std::string>{"flip", "crop"}));
  EXPECT_EQ(config.optimizer.common.lr, 1.0);
  EXPECT_EQ(config.precision.loss_scale, (NumberOrWord{.number = 1024, .word = ""}));
}

TEST(Config, every_key_survives_the_way_through_toml) {
  const Config config = parse(kMinimal, {"optimizer.lr=0.1", "precision.loss_scale=1024", "data.augment=[\"crop\"]",
                                         "run.name=a \"quoted\" \\ name\t", "data.mean=[0.30000000000000004]",
                                         "checkpoint.every_minutes=1e-300", "model.hidden=[32, 64]"});
  const std::string once = to_toml(config);
  const Config again = parse(once);
  EXPECT_EQ(to_toml(again), once);
  EXPECT_EQ(again.run.name, config.run.name);
  EXPECT_EQ(again.precision.loss_scale, config.precision.loss_scale);
  EXPECT_EQ(again.data.augmentation.mean, config.data.augmentation.mean);
  EXPECT_EQ(again.checkpoint.every_minutes, 1e-300);
  for (const KeyLine& line : all_keys()) {
    if (line.key.find("[]") != std::string::npos) continue;  // of elements: there are none here
    const std::string key = line.key.substr(line.key.find('.') + 1);
    const bool selected = line.owner.empty() || line.owner == "mlp" || line.owner == "synthetic" ||
                          line.owner == "sgd" || line.owner == "constant";
    EXPECT_EQ(once.find("\n" + key + " = ") != std::string::npos || !selected, true) << line.key;
  }
}

TEST(Config, overrides_are_toml_or_bare_words) {
  const Config config = parse(kMinimal, {"optimizer.lr=5e-2", "precision.compute=bf16", "run.name=2024",
                                         "run.output=\"a b/{name}\"", "data.path=/data/x=y", "run.branch=true"});
  EXPECT_EQ(config.optimizer.common.lr, 0.05);
  EXPECT_EQ(config.precision.compute_type(), DType::bf16);
  EXPECT_EQ(config.run.name, "2024");
  EXPECT_EQ(config.run.output_directory(), "a b/2024");
  EXPECT_EQ(config.data.path, "/data/x=y");
  EXPECT_TRUE(config.run.branch);
}

TEST(Config, the_last_of_several_overrides_wins) {
  EXPECT_EQ(parse(kMinimal, {"run.seed=2", "run.seed=3"}).run.seed, 3);
}

TEST(Config, an_override_of_the_length_replaces_the_other_length) {
  const Config config = parse(kMinimal, {"run.epochs=2"});
  EXPECT_EQ(config.run.epochs, 2);
  EXPECT_EQ(config.run.steps, 0);
  EXPECT_NE(complaint(kMinimal, {"run.epochs=2", "run.steps=4"}).find("found both"), std::string::npos);
}

TEST(Config, scaler_follows_type_and_loss_scale) {
  EXPECT_TRUE(parse(kMinimal).precision.scaler_options().dynamic);
  const auto fixed = parse(kMinimal, {"precision.loss_scale=1024"}).precision.scaler_options();
  EXPECT_FALSE(fixed.dynamic);
  EXPECT_EQ(fixed.initial, 1024);
  for (const char* type : {"precision.compute=bf16", "precision.compute=fp32"}) {
    const auto options = parse(kMinimal, {type}).precision.scaler_options();
    EXPECT_FALSE(options.dynamic);
    EXPECT_EQ(options.initial, 1);
  }
}

TEST(Config, wire_type_follows_the_compute_type_unless_it_is_given) {
  EXPECT_EQ(CommConfig{}.wire_type(DType::fp16), DType::fp16);
  EXPECT_EQ(CommConfig{}.wire_type(DType::bf16), DType::fp32);
  EXPECT_EQ(CommConfig{.wire = "bf16"}.wire_type(DType::fp16), DType::bf16);
}

TEST(Config, only_fixed_keys_count_as_differences) {
  const Config saved = parse(kMinimal);
  const auto now = [](const std::string& change) { return parse(kMinimal, {change}); };
  for (const char* change : {"run.steps=99", "run.epochs=3", "run.output=elsewhere", "log.every=7", "data.path=/x",
                             "checkpoint.keep=9", "evaluate.every=2", "data.workers=2", "run.branch=true"}) {
    EXPECT_TRUE(fixed_differences(saved, now(change)).empty()) << change;
  }
  for (const char* change :
       {"run.seed=2", "batch.global=256", "batch.shards=4", "precision.compute=fp32", "model.hidden=[7]",
        "optimizer.lr=1", "optimizer.name=adamw", "schedule.name=cosine", "data.crop_padding=1", "data.noise=0.1",
        "comm.wire=fp32", "comm.reduction=library", "run.threads_per_rank=2", "optimizer.momentum=0.5"}) {
    EXPECT_EQ(fixed_differences(saved, now(change)).size(), 1U) << change;
  }
  EXPECT_EQ(fixed_differences(saved, now("optimizer.lr=0.05")).front(),
            "optimizer.lr: 0.1 in the checkpoint, 0.05 in the config");
}

TEST(Config, all_keys_name_their_owner_and_are_unique) {
  std::vector<std::string> names;
  for (const KeyLine& line : all_keys()) {
    EXPECT_FALSE(line.help.empty()) << line.key;
    EXPECT_FALSE(line.type.empty()) << line.key;
    names.push_back(line.key + line.owner);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_TRUE(std::binary_search(names.begin(), names.end(), "optimizer.momentumsgd"));
  EXPECT_TRUE(std::binary_search(names.begin(), names.end(), "optimizer.lr"));
}

TEST(Config, own_keys_do_not_hide_shared_ones) {
  const std::vector<KeyLine> lines = all_keys();
  for (const KeyLine& own : lines) {
    if (own.owner.empty()) continue;
    EXPECT_TRUE(std::none_of(lines.begin(), lines.end(), [&](const KeyLine& line) {
      return line.owner.empty() && line.key == own.key;
    })) << own.key;
  }
}

struct BadText {
  const char* name;
  std::string text;  ///< added after kMinimal, whose last line is line 6
  std::vector<std::string> overrides;
  std::string message;  ///< part of it
};

class BadConfig : public testing::TestWithParam<BadText> {};

TEST_P(BadConfig, is_refused_in_one_line_that_names_place_and_cure) {
  const std::string message = complaint(kMinimal + GetParam().text, GetParam().overrides);
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

const BadText kBadTexts[] = {
    {"unknown_key",
     "[optimizer]\nlearning_rate = 1",
     {},
     "file.toml:8:1: optimizer.learning_rate: unknown key; did you mean 'lr'? (known: name, lr,"},
    {"unknown_key_far", "[log]\nzebra = 1", {}, "file.toml:8:1: log.zebra: unknown key (known: every)"},
    {"unknown_table", "[optimiser]\nlr = 1", {}, "optimiser: unknown table; did you mean 'optimizer'?"},
    {"wrong_type",
     "[batch]\nglobal = \"64\"",
     {},
     "file.toml:8:10: batch.global: expected an integer, found the string '64'"},
    {"fraction_for_integer", "[batch]\nglobal = 64.0", {}, "batch.global: expected an integer, found 64.0"},
    {"out_of_range", "[optimizer]\nlr = -0.5", {}, "file.toml:8:6: optimizer.lr: expected a value >= 0, found -0.5"},
    {"excluded_maximum", "", {"model.label_smoothing=1.0"}, "expected a value in [0, 1), found 1"},
    {"word",
     "[precision]\ncompute = \"fp61\"",
     {},
     "expected one of 'fp16', 'bf16', 'fp32', found 'fp61'; did you mean 'fp16'?"},
    {"nan", "[optimizer]\nlr = nan", {}, "optimizer.lr: expected a finite number, found nan"},
    {"infinity", "[optimizer]\nlr = inf", {}, "optimizer.lr: expected a finite number, found inf"},
    {"overflow", "[run2]\nx = 99999999999999999999", {}, "file.toml:8:"},
    {"duplicate", "[log]\nevery = 1\nevery = 2", {}, "file.toml:9:"},
    {"syntax", "[log\nevery = 1", {}, "file.toml:7:"},
    {"power_of_two",
     "[precision]\nscale_growth = 3",
     {},
     "precision.scale_growth: expected a value in [2, 65536], a power of two, found 3"},
    {"floor",
     "",
     {"precision.scale_initial=4", "precision.scale_floor=8"},
     "--set precision.scale_floor=8: precision.scale_floor: expected at most scale_initial = 4"},
    {"ceiling", "", {"precision.scale_ceiling=2"}, "expected at least scale_initial = 65536, found 2"},
    {"fixed_scale_of_fp32",
     "",
     {"precision.compute=fp32", "precision.loss_scale=8"},
     "found 8, but compute = \"fp32\" runs at scale 1"},
    {"loss_scale_word",
     "",
     {"precision.loss_scale=dynamc"},
     "expected one of 'dynamic', found 'dynamc'; did you mean 'dynamic'?"},
    {"loss_scale_not_power", "", {"precision.loss_scale=1000"}, "a power of two"},
    {"batch_not_divisible",
     "",
     {"batch.global=100"},
     "expected a multiple of batch.shards = 8, found 100; the nearest are 96 and 104"},
    {"std_length", "mean = [1.0, 2.0]", {}, "data.std: expected as many values as data.mean has, 2; found 1"},
    {"list_element", "", {"data.mean=[true]"}, "data.mean: expected a number, found true"},
    {"not_a_list", "", {"data.augment=crop"}, "data.augment: expected a list, found the string 'crop'"},
    {"word_twice", "", {"data.augment=[\"crop\", \"crop\"]"}, "expected each word at most once"},
    {"model_name", "", {"model.name=cn"}, "--set model.name=cn: model.name: expected one of"},
    {"key_of_another_model", "channels = 3\n[schedule]\nwarmup = 3", {}, "did you mean 'warmup_steps'?"},
    {"override_without_value", "", {"optimizer.lr"}, "--set optimizer.lr: expected table.key=value"},
    {"override_without_table", "", {"lr=1"}, "--set lr=1: expected table.key=value"},
    {"override_of_unknown_table", "", {"optimiser.lr=1"}, "--set optimiser.lr=1: optimiser: unknown table"},
    {"override_bad_toml", "", {"data.mean=[1,"}, "--set data.mean=[1,:"},
    {"override_wrong_type",
     "",
     {"run.seed=x"},
     "--set run.seed=x: run.seed: expected an integer, found the string 'x'"},
    {"name_with_slash", "", {"run.name=a/b"}, "without '/'"},
    {"placeholder", "", {"run.output=runs/{date}"}, "no placeholder but {name}"},
    {"no_length", "", {"run.steps=0"}, "expected one of run.epochs and run.steps above 0, found none"},
};

INSTANTIATE_TEST_SUITE_P(Config, BadConfig, testing::ValuesIn(kBadTexts),
                         [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Config, a_missing_required_key_names_what_is_known) {
  EXPECT_NE(complaint("[run]\nsteps = 1\n")
                .find("file.toml: model.name: missing; it has no default (known: mlp, cnn, resnet, vgg, sequential)"),
            std::string::npos)
      << complaint("[run]\nsteps = 1\n");
}

TEST(Config, a_key_outside_its_table_is_told_where_it_belongs) {
  EXPECT_EQ(complaint("momentum = 1\nlr = 1"),
            "file.toml:2:1: lr: stands outside any table; it belongs below [optimizer]");
}

}  // namespace
}  // namespace mpdist::train
