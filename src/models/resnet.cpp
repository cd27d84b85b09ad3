// SPDX-License-Identifier: Apache-2.0
#include "src/models/resnet.hpp"

#include <array>
#include <optional>
#include <utility>

#include "src/models/extents.hpp"
#include "src/models/model.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/conv_norm.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"

namespace mpdist::models {
namespace {

struct ResnetOptions : Options {
  std::int64_t depth = 20;
  std::int64_t width = 16;
  double dropout = 0;
  double norm_momentum = 0.1;

  void describe(Schema& schema) override {
    schema
        .key("depth", depth,
             {.help = "20, 32, 44, 56, 110 (CIFAR form) or 18, 34, 50, 101 (ImageNet form)", .minimum = 18})
        .key("width", width,
             {.help = "channels of the first stage of the CIFAR form", .minimum = 1, .maximum = kMaximumChannels})
        .key("dropout", dropout, {.help = "probability before the last layer", .minimum = 0, .maximum = 0.99})
        .key("norm_momentum", norm_momentum,
             {.help = "share of a batch in the running statistics",
              .minimum = 0,
              .maximum = 1,
              .minimum_excluded = true});
  }
};

/// What a depth means.
struct Form {
  std::int64_t depth;
  bool imagenet, bottleneck;
  std::vector<std::int64_t> blocks;  ///< of each stage
};

const std::vector<Form>& forms() {
  static const std::vector<Form> table = {
      {20, false, false, {3, 3, 3}},   {32, false, false, {5, 5, 5}},     {44, false, false, {7, 7, 7}},
      {56, false, false, {9, 9, 9}},   {110, false, false, {18, 18, 18}}, {18, true, false, {2, 2, 2, 2}},
      {34, true, false, {3, 4, 6, 3}}, {50, true, true, {3, 4, 6, 3}},    {101, true, true, {3, 4, 23, 3}}};
  return table;
}

const Form& form_of(std::int64_t depth) {
  for (const Form& form : forms()) {
    if (form.depth == depth) return form;
  }
  throw UsageError(
      fmt::format("model.depth = {}: residual networks of this kind have depth 20, 32, 44, 56, 110 (CIFAR form) or "
                  "18, 34, 50, 101 (ImageNet form)",
                  depth));
}

/// 3x3, 3x3; or 1x1, 3x3, 1x1 with four times the channels: the last one takes the shortcut before its ReLU.
class Block {
 public:
  Block(ParameterStore& store, const std::string& name, std::int64_t in, std::int64_t channels, std::int64_t stride,
        bool bottleneck, float momentum) {
    const std::int64_t out = bottleneck ? 4 * channels : channels;
    const kernels::Conv2dGeometry strided{.stride = stride, .padding = 1}, plain{.padding = 1};
    const auto add = [&](const char* leaf, nn::Conv2dOptions options) {
      options.bias = false;
      options.relu = true;
      path_.emplace_back(store, name + leaf, options, momentum);
    };
    if (bottleneck) {
      add(".conv1", {.in = in, .out = channels, .kernel = 1});
      add(".conv2", {.in = channels, .out = channels, .kernel = 3, .geometry = strided});
      add(".conv3", {.in = channels, .out = out, .kernel = 1});
    } else {
      add(".conv1", {.in = in, .out = channels, .kernel = 3, .geometry = strided});
      add(".conv2", {.in = channels, .out = out, .kernel = 3, .geometry = plain});
    }
    if (stride != 1 || in != out) {
      shortcut_.emplace(
          store, name + ".shortcut",
          nn::Conv2dOptions{.in = in, .out = out, .kernel = 1, .geometry = {.stride = stride}, .bias = false},
          momentum);
    }
  }

  /// The path reads x before the shortcut does: its first convolution writes x (nn::Deferred).
  nn::Deferred operator()(const nn::Pass& pass, const nn::Deferred& x) const {
    nn::Deferred y = x;
    for (std::size_t i = 0; i + 1 < path_.size(); ++i) y = path_[i](pass, y);
    return path_.back()(pass, y, shortcut_ ? (*shortcut_)(pass, x) : x);
  }

 private:
  std::vector<nn::ConvNorm> path_;
  std::optional<nn::ConvNorm> shortcut_;
};

class Resnet : public Model {
 public:
  Resnet(const ResnetOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : form_(form_of(options.depth)),
        stem_(store, "stem", stem_options(form_, options.width, image[2]), static_cast<float>(options.norm_momentum)),
        features_(build_blocks(options, store)),
        head_(store, "fc", features_, classes, false),
        dropout_(static_cast<float>(options.dropout)) {}

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    nn::Deferred x = stem_(pass, nn::Variable{images});
    if (form_.imagenet) x = nn::max_pool(pass, kPool, x, {.window = 3, .stride = 2, .padding = 1});
    for (const Block& block : blocks_) x = block(pass, x);
    return head_(pass, nn::dropout(pass, kDropout, nn::global_average_pool(pass, kMean, x), dropout_));
  }

 private:
  inline static const std::string kPool = "pool", kMean = "mean", kDropout = "dropout";

  static nn::Conv2dOptions stem_options(const Form& form, std::int64_t width, std::int64_t channels) {
    if (form.imagenet) {
      return {
          .in = channels, .out = 64, .kernel = 7, .geometry = {.stride = 2, .padding = 3}, .relu = true, .bias = false};
    }
    return {.in = channels, .out = width, .kernel = 3, .geometry = {.padding = 1}, .relu = true, .bias = false};
  }

  /// Registers the blocks after the stem and before the head; returns the channels of the last one.
  std::int64_t build_blocks(const ResnetOptions& options, ParameterStore& store) {
    std::int64_t channels = form_.imagenet ? 64 : options.width, in = channels;
    for (std::size_t stage = 0; stage < form_.blocks.size(); ++stage) {
      for (std::int64_t block = 0; block < form_.blocks[stage]; ++block) {
        const std::string name = fmt::format("stage{}.block{}", stage + 1, block + 1);
        blocks_.emplace_back(store, name, in, channels, stage > 0 && block == 0 ? 2 : 1, form_.bottleneck,
                             static_cast<float>(options.norm_momentum));
        in = form_.bottleneck ? 4 * channels : channels;
      }
      channels *= 2;
    }
    return in;
  }

  const Form& form_;
  nn::ConvNorm stem_;
  std::vector<Block> blocks_;
  std::int64_t features_;
  nn::Linear head_;
  float dropout_;
};

}  // namespace

ModelEntry resnet_entry() {
  return {
      "resnet", "residual network, CIFAR or ImageNet form", [] { return std::make_unique<ResnetOptions>(); },
      [](const Options& options, ParameterStore& store, Shape image, std::int64_t classes) -> std::unique_ptr<Model> {
        if (image[0] != image[1]) {
          throw UsageError(fmt::format("model resnet needs square images, found {}x{}", image[0], image[1]));
        }
        return std::make_unique<Resnet>(dynamic_cast<const ResnetOptions&>(options), store, image, classes);
      }};
}

}  // namespace mpdist::models
