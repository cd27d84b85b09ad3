// SPDX-License-Identifier: Apache-2.0
#include "src/core/schema.hpp"

#include <gtest/gtest.h>

namespace mpdist {
namespace {

struct ExampleOptions : Options {
  bool nesterov = false;
  std::int64_t width = 64;
  double lr = 0.1;
  std::string activation = "relu";
  NumberOrWord loss_scale{.number = 0, .word = "dynamic"};
  std::vector<std::int64_t> hidden = {256, 128};
  std::vector<double> betas = {0.9, 0.999};
  std::vector<std::string> augment;

  void describe(Schema& schema) override {
    schema.key("nesterov", nesterov, {.help = "look ahead"})
        .key("width", width, {.help = "channels", .minimum = 1})
        .key("lr", lr, {.help = "step size", .minimum = 0, .minimum_excluded = true})
        .key("activation", activation, {.help = "function", .allowed = {"relu", "gelu"}})
        .key("loss_scale", loss_scale, {.help = "scale", .power_of_two = true, .words = {"dynamic"}})
        .key("hidden", hidden, {.help = "widths"})
        .key("betas", betas, {.help = "decays"})
        .key("augment", augment, {.help = "what"});
  }
};

TEST(Schema, ListsTheKeysInOrderWithTheirDefaults) {
  ExampleOptions options;
  Schema schema;
  options.describe(schema);
  std::vector<std::string> names;
  for (const Key& key : schema.keys()) names.push_back(key.name);
  EXPECT_EQ(names, (std::vector<std::string>{"nesterov", "width", "lr", "activation", "loss_scale", "hidden", "betas",
                                             "augment"}));
  EXPECT_EQ(*std::get<std::int64_t*>(schema.keys()[1].value), 64);
  EXPECT_EQ(schema.keys()[3].doc.allowed, (std::vector<std::string>{"relu", "gelu"}));
  EXPECT_TRUE(schema.keys()[2].doc.minimum_excluded);
}

TEST(Schema, AValueWrittenThroughAKeyLandsInTheOptions) {
  ExampleOptions options;
  Schema schema;
  options.describe(schema);
  *std::get<bool*>(schema.keys()[0].value) = true;
  *std::get<NumberOrWord*>(schema.keys()[4].value) = {.number = 1024, .word = ""};
  std::get<std::vector<double>*>(schema.keys()[6].value)->front() = 0.8;
  EXPECT_TRUE(options.nesterov);
  EXPECT_EQ(options.loss_scale, (NumberOrWord{.number = 1024, .word = ""}));
  EXPECT_EQ(options.betas, (std::vector<double>{0.8, 0.999}));
}

}  // namespace
}  // namespace mpdist
