// SPDX-License-Identifier: Apache-2.0
// Lists of tables: read, written, compared, refused. The kinds here nest as the layers of a network do.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/train/config.hpp"
#include "src/train/schema_toml.hpp"

namespace mpdist::train {
namespace {

const std::vector<TableList::Kind>& layer_kinds();

struct Convolution : Options {
  std::int64_t channels = 0, kernel = 3;
  void describe(Schema& schema) override {
    schema.key("channels", channels, {.help = "out", .minimum = 1, .required = true})
        .key("kernel", kernel, {.help = "extent", .minimum = 1});
  }
};

struct Residual : Options {
  std::string name = "block";
  TableList layers{"type", layer_kinds};
  void describe(Schema& schema) override {
    schema.key("name", name, {.help = "of the block"}).key("layers", layers, {.help = "inside"});
  }
};

const std::vector<TableList::Kind>& layer_kinds() {
  static const std::vector<TableList::Kind> all = {{"conv", [] { return std::make_unique<Convolution>(); }},
                                                   {"residual", [] { return std::make_unique<Residual>(); }}};
  return all;
}

struct Network {
  std::int64_t width = 1;
  TableList layers{"type", layer_kinds};
  Schema schema() {
    Schema all;
    all.key("layers", layers, {.help = "one after the other"})
        .key("width", width, {.help = "plain key behind the list"});
    return all;
  }
};

constexpr const char* kNested = R"([model]
width = 3
[[model.layers]]
type = "conv"
channels = 16
[[model.layers]]
type = "residual"
[[model.layers.layers]]
type = "conv"
channels = 32
kernel = 1
[[model.layers.layers]]
type = "residual"
name = "inner"
)";

Network read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const ConfigSource source(text, "net.toml", overrides);
  Network network;
  read_table("model", network.schema(), source);
  return network;
}

std::string written(Network network) {
  return "[model]\n" + keys_text("model", network.schema());
}

std::string complaint(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    read(text, overrides);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

const Convolution& convolution(const TableList::Element& element) {
  return dynamic_cast<const Convolution&>(*element.options);
}

TEST(TableList, elements_are_read_by_kind_at_any_depth) {
  const Network network = read(kNested);
  ASSERT_EQ(network.layers.elements.size(), 2U);
  EXPECT_EQ(network.width, 3);
  EXPECT_EQ(convolution(network.layers.elements[0]).channels, 16);
  EXPECT_EQ(convolution(network.layers.elements[0]).kernel, 3);
  const auto& block = dynamic_cast<const Residual&>(*network.layers.elements[1].options);
  ASSERT_EQ(block.layers.elements.size(), 2U);
  EXPECT_EQ(convolution(block.layers.elements[0]).channels, 32);
  EXPECT_EQ(block.layers.elements[1].kind, "residual");
}

TEST(TableList, what_is_written_reads_back_as_the_same) {
  const std::string once = written(read(kNested));
  EXPECT_EQ(written(read(once)), once);
  EXPECT_EQ(once, R"([model]
width = 3

[[model.layers]]
type = "conv"
channels = 16
kernel = 3

[[model.layers]]
type = "residual"
name = "block"

[[model.layers.layers]]
type = "conv"
channels = 32
kernel = 1

[[model.layers.layers]]
type = "residual"
name = "inner"
layers = []
)");
}

TEST(TableList, the_value_of_a_list_is_toml_in_one_line) {
  Network network = read(kNested);
  const std::string text = value_text(network.schema().keys()[0]);
  EXPECT_EQ(written(read("[model]\nwidth = 3\nlayers = " + text)), written(network)) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(TableList, an_override_replaces_the_list_or_a_key_of_an_element) {
  const Network whole = read(kNested, {"model.layers=[{type = \"conv\", channels = 7}]"});
  ASSERT_EQ(whole.layers.elements.size(), 1U);
  EXPECT_EQ(convolution(whole.layers.elements[0]).channels, 7);
  const Network one =
      read(kNested, {"model.layers[0].channels=5", "model.layers[1].layers[0].kernel=9", "model.layers[1].name=word"});
  EXPECT_EQ(convolution(one.layers.elements[0]).channels, 5);
  const auto& block = dynamic_cast<const Residual&>(*one.layers.elements[1].options);
  EXPECT_EQ(convolution(block.layers.elements[0]).kernel, 9);
  EXPECT_EQ(block.name, "word");
}

struct BadList {
  const char* name;
  std::string text;
  std::vector<std::string> overrides;
  std::string message;
};

class BadTableList : public testing::TestWithParam<BadList> {};

TEST_P(BadTableList, is_refused_with_place_and_cure) {
  const std::string message = complaint(GetParam().text, GetParam().overrides);
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

const BadList kBad[] = {
    {"no_kind",
     "[model]\n[[model.layers]]\nchannels = 3",
     {},
     "net.toml:2:1: model.layers[0].type: missing; it has no default (known: conv, residual)"},
    {"unknown_kind",
     "[model]\n[[model.layers]]\ntype = \"cnv\"",
     {},
     "net.toml:3:8: model.layers[0].type: expected one of 'conv', 'residual', found 'cnv'; did you mean 'conv'?"},
    {"unknown_key",
     "[model]\n[[model.layers]]\ntype = \"conv\"\nchannel = 3",
     {},
     "net.toml:4:1: model.layers[0].channel: unknown key; did you mean 'channels'? (known: type, channels, kernel)"},
    {"missing_key",
     "[model]\n[[model.layers]]\ntype = \"conv\"",
     {},
     "net.toml:2:1: model.layers[0].channels: missing; it has no default"},
    {"range_inside",
     std::string(kNested) + "[[model.layers.layers]]\ntype = \"conv\"\nchannels = 0",
     {},
     "net.toml:17:12: model.layers[1].layers[2].channels: expected a value >= 1, found 0"},
    {"single_brackets",
     "[model.layers]\ntype = \"conv\"",
     {},
     "net.toml:1:1: model.layers: expected a list of tables, each below [[model.layers]], found a table"},
    {"no_tables",
     "[model]\nlayers = [1]",
     {},
     "net.toml:2:11: model.layers[0]: expected a table, as one below [[model.layers]]; found 1"},
    {"override_outside",
     kNested,
     {"model.layers[2].channels=1"},
     "--set model.layers[2].channels=1: the config has no model.layers[2]; expected an element that it has, counted "
     "from"},
    {"override_of_no_list", kNested, {"model.width[0].x=1"}, "the config has no model.width[0]"},
    {"override_no_index", kNested, {"model.layers[x].channels=1"}, "the config has no model.layers[x]"},
    {"override_open_bracket", kNested, {"model.layers[0.channels=1"}, "the config has no model.layers[0;"},
    {"override_value",
     kNested,
     {"model.layers[0].channels=0"},
     "--set model.layers[0].channels=0: model.layers[0].channels: expected a value >= 1"},
    {"override_of_the_list",
     kNested,
     {"model.layers=[{type = \"conv\", channels = 0}]"},
     "--set model.layers=[{type = \"conv\", channels = 0}]: model.layers[0].channels: expected a value >= 1"},
    {"override_unknown_key",
     kNested,
     {"model.layers[0].chanels=1"},
     "--set model.layers[0].chanels=1: model.layers[0].chanels: unknown key; did you mean 'channels'?"},
};

INSTANTIATE_TEST_SUITE_P(TableList, BadTableList, testing::ValuesIn(kBad),
                         [](const auto& case_info) { return std::string(case_info.param.name); });

constexpr const char* kGroups = R"([run]
steps = 10
[model]
name = "mlp"
[data]
format = "synthetic"
[[optimizer.groups]]
pattern = "*.bias"
lr_scale = 2
[[optimizer.groups]]
pattern = "fc1.*"
weight_decay = 0.5
)";

Config config(const std::string& change = "run.steps=10") {
  return parse_config(kGroups, "file.toml", {change});
}

TEST(TableList, groups_stand_in_the_config_as_run) {
  const std::string text = to_toml(config());
  EXPECT_NE(text.find("\n[[optimizer.groups]]\npattern = \"fc1.*\"\nlr_scale = 1.0\nweight_decay = 0.5\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(to_toml(parse_config(text, "again.toml", {})), text);
  EXPECT_NE(to_toml(config("optimizer.groups=[]")).find("\ngroups = []\n"), std::string::npos);
}

TEST(TableList, a_resume_may_not_change_an_element) {
  const Config saved = config();
  EXPECT_TRUE(fixed_differences(saved, config()).empty());
  EXPECT_EQ(fixed_differences(saved, config("optimizer.groups[1].lr_scale=3")),
            std::vector<std::string>{"optimizer.groups[1].lr_scale: 1.0 in the checkpoint, 3.0 in the config"});
  EXPECT_EQ(fixed_differences(saved, config("optimizer.groups=[]")),
            std::vector<std::string>{"optimizer.groups: 2 tables in the checkpoint, 0 tables in the config"});
  EXPECT_FALSE(fixed_differences(config("optimizer.groups=[]"), saved).empty());
}

TEST(TableList, the_keys_of_elements_are_told) {
  const std::vector<KeyLine> lines = all_keys();
  const auto line = [&](const std::string& key) {
    return std::find_if(lines.begin(), lines.end(), [&](const KeyLine& l) { return l.key == key; });
  };
  ASSERT_NE(line("optimizer.groups"), lines.end());
  EXPECT_EQ(line("optimizer.groups")->type, "list of tables");
  ASSERT_NE(line("optimizer.groups[].lr_scale"), lines.end());
  EXPECT_EQ(line("optimizer.groups[].lr_scale")->default_value, "1.0");
  EXPECT_EQ(line("optimizer.groups[].pattern")->default_value, "");
}

}  // namespace
}  // namespace mpdist::train
