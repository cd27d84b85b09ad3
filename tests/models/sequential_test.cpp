// SPDX-License-Identifier: Apache-2.0
#include "src/models/sequential.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "src/train/config.hpp"
#include "tests/support/model.hpp"
#include "tests/support/network.hpp"

namespace mpdist {
namespace {

using test::Network;

/// A network in TOML on images of one shape and 3 classes, as the program reads and builds it.
struct Written {
  Network network;
  std::unique_ptr<models::Model> model;
  explicit Written(const std::string& layers, Shape image) {
    const std::string text =
        "[run]\nsteps = 1\n[data]\nformat = \"synthetic\"\n[model]\nname = \"sequential\"\n" + layers;
    const train::Config config = train::parse_config(text, "net.toml", {});
    model = models::sequential_entry().make(*config.model.options, network.store, image, 3);
    network.forward = [this](const nn::Pass& pass, const Tensor& x) { return model->forward(pass, x); };
    network.finish(image);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Parameter* p : network.store.parameters()) all.insert(all.begin(), p->name);
    return all;
  }
};

/// The message of the UsageError that building throws.
std::string complaint(const std::string& layers, Shape image = {8, 8, 2}) {
  try {
    const Written net(layers, image);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

/// A model in C++ under test, its options changed.
struct Built {
  Network network;
  std::unique_ptr<models::Model> model;
  Built(const std::string& name, Shape image, const std::function<void(Options&)>& change) {
    model = test::make_model(name, network.store, image, 3, change);
    network.forward = [this](const nn::Pass& pass, const Tensor& x) { return model->forward(pass, x); };
    network.finish(image);
  }
};

void expect_same(Network& a, Network& b) {
  EXPECT_EQ(a.loss(), b.loss()) << "evaluation";
  EXPECT_EQ(a.training_loss(), b.training_loss());
  EXPECT_EQ(a.gradients(), b.gradients());
}

TEST(Sequential, TheSmallConvolutionalNetworkInTomlIsThatInCpp) {
  Written written(R"(layers = [
  {type = "conv", channels = 4, activation = "relu"}, {type = "max_pool"},
  {type = "conv", channels = 6}, {type = "relu"}, {type = "max_pool"}, {type = "flatten"},
  {type = "linear", units = 16, activation = "relu", name = "fc1"},
  {type = "dropout", probability = 0.25, name = "dropout"},
  {type = "linear", name = "fc2"},
])",
                  {8, 8, 1});
  Built built("cnn", {8, 8, 1}, [](Options& options) {
    test::set_option(options, "channels", std::vector<std::int64_t>{4, 6});
    test::set_option<std::int64_t>(options, "hidden", 16);
    test::set_option(options, "dropout", 0.25);
  });
  expect_same(written.network, built.network);
}

/// Names, shortcuts and fused sums are those of resnet.
TEST(Sequential, ResidualBlocksInTomlAreThoseOfResnet20) {
  std::string text =
      "[[model.layers]]\ntype = \"conv\"\nchannels = 4\nnorm = true\nactivation = \"relu\"\nname = \"stem\"\n";
  for (int stage = 1; stage <= 3; ++stage) {
    for (int block = 1; block <= 3; ++block) {
      text += fmt::format(
          "[[model.layers]]\ntype = \"residual\"\nname = \"stage{}.block{}\"\nlayers = [\n"
          "  {{type = \"conv\", channels = {}, stride = {}, norm = true, activation = \"relu\"}},\n"
          "  {{type = \"conv\", channels = {}, norm = true}},\n]\n",
          stage, block, 2 << stage, stage > 1 && block == 1 ? 2 : 1, 2 << stage);
    }
  }
  text += "[[model.layers]]\ntype = \"global_average_pool\"\n[[model.layers]]\ntype = \"linear\"\nname = \"fc\"\n";
  Written written(text, {12, 12, 3});
  Built built("resnet", {12, 12, 3}, [](Options& options) { test::set_option<std::int64_t>(options, "width", 4); });
  EXPECT_EQ(written.network.store.trainable(), built.network.store.trainable());
  expect_same(written.network, built.network);
}

TEST(Sequential, EveryKindOfLayerMatchesFiniteDifferences) {
  Written net(R"(layers = [
  {type = "conv", channels = 4, padding = 0, activation = "gelu"},
  {type = "branch", paths = [
    {layers = [{type = "conv", channels = 4, groups = 2, norm = true, activation = "gelu"}]},
    {layers = [{type = "max_pool", window = 3, stride = 1, padding = 1}]},
    {},
  ]},
  {type = "residual", activation = "gelu", layers = [{type = "conv", channels = 6, stride = 2, norm = true}]},
  {type = "residual", shortcut = "identity", layers = [{type = "gelu"}]},
  {type = "branch", join = "add", activation = "gelu", paths = [
    {layers = [{type = "batch_norm", activation = "gelu"}]}, {name = "same"},
    {layers = [{type = "conv", channels = 6, kernel = 1}]},
  ]},
  {type = "average_pool"}, {type = "flatten"},
  {type = "residual", activation = "none", layers = [{type = "linear", units = 5, activation = "gelu"}]},
  {type = "dropout", probability = 0.1},
  {type = "linear", units = 8}, {type = "gelu"}, {type = "batch_norm"}, {type = "linear"},
])",
              {14, 14, 2});
  net.network.check_directional_derivatives(5e-4, 2e-2);
}

TEST(Sequential, NamesAreKindAndNumberUnlessGivenAndRepetitionsAreNumbered) {
  const Written net(R"(layers = [
  {type = "conv", channels = 2, repeat = 2},
  {type = "conv", channels = 2, name = "own", repeat = 2},
  {type = "residual", repeat = 2, layers = [{type = "conv", channels = 2, norm = true}]},
  {type = "branch", name = "wide", paths = [{name = "left", layers = [{type = "conv", channels = 1}]}, {}]},
  {type = "linear"},
])",
                    {4, 4, 2});
  const std::vector<std::string> expected = {"conv1.weight",
                                             "conv1.bias",
                                             "conv2.weight",
                                             "conv2.bias",
                                             "own1.weight",
                                             "own1.bias",
                                             "own2.weight",
                                             "own2.bias",
                                             "residual1.conv1.weight",
                                             "residual1.conv1.norm.gamma",
                                             "residual1.conv1.norm.beta",
                                             "residual2.conv1.weight",
                                             "residual2.conv1.norm.gamma",
                                             "residual2.conv1.norm.beta",
                                             "wide.left.conv1.weight",
                                             "wide.left.conv1.bias",
                                             "linear1.weight",
                                             "linear1.bias"};
  EXPECT_EQ(net.names(), expected);
}

/// Counts the operations of a pass by kernel.
struct Counter : nn::Observer {
  std::map<std::string, int> seen;
  void activation(const std::string&, const char* operation, const Tensor&) override { ++seen[operation]; }
  void activation_gradient(const std::string&, const char*, const Tensor&) override {}
};

TEST(Sequential, ReluAndResidualBecomePartOfTheOperationBeforeThem) {
  Written net(R"(layers = [
  {type = "conv", channels = 2}, {type = "relu"},
  {type = "batch_norm"}, {type = "relu"},
  {type = "residual", layers = [{type = "conv", channels = 2, norm = true}]},
  {type = "linear", units = 4}, {type = "relu"},
  {type = "linear"},
])",
              {4, 4, 1});
  Counter counter;
  net.network.gradients(&counter);
  EXPECT_EQ(counter.seen.count("relu"), 0U);
  EXPECT_EQ(counter.seen.count("add"), 0U);
  EXPECT_EQ(counter.seen["linear"], 2);
}

TEST(Sequential, AReluWithANameStaysAnOperation) {
  Written net(R"(layers = [{type = "conv", channels = 2}, {type = "relu", name = "mine"}, {type = "linear"}])",
              {4, 4, 1});
  Counter counter;
  net.network.gradients(&counter);
  EXPECT_EQ(counter.seen["relu"], 1);
}

struct Refused {
  const char *layers, *message;
};

// The list begins in line 7 of the config.
const Refused kRefused[] = {
    {"", "model.layers: the network leaves [8, 8, 2] of an image [8, 8, 2], expected [3], a value per class"},
    {R"(layers = [{type = "conv", channels = 4}])", "the network leaves [8, 8, 4] of an image [8, 8, 2]"},
    {R"(layers = [{type = "linear"},
      {type = "conv", channels = 4}])",
     "net.toml:8:7: model.layers[1] (conv1): a convolution needs height, width and channels, found 3 features"},
    {R"(layers = [{type = "conv", channels = 4, kernel = 9, padding = 0}])",
     "net.toml:7:11: model.layers[0] (conv1): kernel 9 with padding 0 does not fit a 8x8 input"},
    {R"(layers = [{type = "conv", channels = 4, groups = 3}])",
     "groups = 3 must divide the 2 input and 4 output channels"},
    {R"(layers = [{type = "conv", channels = 4, padding = 0.5}])", "padding: expected an integer or 'same'"},
    {R"(layers = [{type = "max_pool", repeat = 4}])",
     "model.layers[0] (max_pool4): window 2 with padding 0 does not fit a 1x1 input"},
    {R"(layers = [{type = "max_pool", padding = 2}])", "padding 2 is more than half the window 2"},
    {R"(layers = [{type = "linear", units = 4}, {type = "average_pool"}])", "pooling needs height, width and channels"},
    {R"(layers = [{type = "conv", channels = 4, name = "a"}, {type = "max_pool", name = "a"}])",
     "model.layers[1] (a): another layer has this name"},
    {R"(layers = [{type = "residual", layers = [{type = "conv", channels = 4, name = "shortcut"}]}])",
     "model.layers[0] (residual1.shortcut): another layer has this name"},
    {R"(layers = [{type = "conv", channels = 4, norm = true}, {type = "batch_norm", name = "conv1.norm"}])",
     "model.layers[1] (conv1.norm): another layer has this name"},
    {R"(layers = [{type = "batch_norm", name = "conv1.norm"}, {type = "conv", channels = 4, norm = true}])",
     "model.layers[1] (conv1.norm): another layer has this name"},
    {R"(layers = [{type = "conv", channels = 4, name = "a/b"}])", "(a/b): expected a name of letters"},
    {R"(layers = [{type = "residual"}])", "model.layers[0] (residual1): layers: expected at least one"},
    {R"(layers = [{type = "residual", shortcut = "identity", layers = [{type = "conv", channels = 4}]}])",
     "shortcut = \"identity\" adds the input [8, 8, 2] to [8, 8, 4]"},
    {R"(layers = [{type = "residual", layers = [{type = "conv", channels = 2, padding = 0}]}])",
     "no 1x1 convolution makes [6, 6, 2] of the block's input [8, 8, 2]"},
    {R"(layers = [{type = "residual", layers = [{type = "relu"}, {type = "conv", channels = 2, kernel = 99, padding = 0}]}])",
     "model.layers[0].layers[1] (residual1.conv1): kernel 99"},
    {R"(layers = [{type = "branch"}])", "paths: expected at least one"},
    {R"(layers = [{type = "branch", paths = [{}, {layers = [{type = "max_pool"}]}]}])",
     "paths that are concatenated must leave the same height and width, found [8, 8, 2] and [4, 4, 2]"},
    {R"(layers = [{type = "branch", join = "add", paths = [{}, {layers = [{type = "conv", channels = 3}]}]}])",
     "paths that are added must leave the same shape, found [8, 8, 2] and [8, 8, 3]"},
    {R"(layers = [{type = "branch", paths = [{name = "a"}, {name = "a"}]}])",
     "model.layers[0].paths[1] (branch1.a): another layer has this name"},
    {R"(layers = [{type = "convolution"}])", "expected one of 'conv', 'batch_norm',"},
    {R"(layers = [{type = "cov", channels = 1}])", "did you mean 'conv'?"},
    {R"(layers = [{type = "conv", chanels = 1}])",
     "net.toml:7:27: model.layers[0].chanels: unknown key; did you mean 'channels'?"},
    {R"(layers = [{type = "conv"}])", "model.layers[0].channels: missing"},
    {R"(layers = [{channels = 3}])", "model.layers[0].type: missing; it has no default (known: conv,"},
    {R"(layers = "conv")", "model.layers: expected a list of tables"},
};

TEST(Sequential, MistakesAreNamedWithLayerAndPlace) {
  for (const Refused& refused : kRefused)
    EXPECT_NE(complaint(refused.layers).find(refused.message), std::string::npos)
        << refused.layers << ": " << complaint(refused.layers);
}

TEST(Sequential, GlobalPoolingNeedsSquareMaps) {
  EXPECT_NE(complaint(R"(layers = [{type = "global_average_pool"}, {type = "linear"}])", {8, 6, 1})
                .find("needs as many rows as columns, found a 8x6 input"),
            std::string::npos);
}

}  // namespace
}  // namespace mpdist
