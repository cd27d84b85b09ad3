// SPDX-License-Identifier: Apache-2.0
#include "src/models/vgg.hpp"

#include <algorithm>
#include <array>

#include "src/models/conv_block.hpp"
#include "src/models/extents.hpp"
#include "src/models/model.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"

namespace mpdist::models {
namespace {

struct VggOptions : Options {
  std::int64_t depth = 16;
  std::int64_t width = 64;
  std::string classifier = "auto";
  std::int64_t hidden = 4096;
  double dropout = 0.5;
  bool norm = false;
  double norm_momentum = 0.1;

  void describe(Schema& schema) override {
    schema.key("depth", depth, {.help = "layers with weights in the published form: 11, 13, 16, 19", .minimum = 11})
        .key("width", width,
             {.help = "channels of the first stage; the others have 2, 4, 8 and 8 times",
              .minimum = 1,
              .maximum = kMaximumChannels})
        .key("norm", norm, {.help = "batch norm after each convolution"})
        .key("norm_momentum", norm_momentum,
             {.help = "share of a batch in the running statistics",
              .minimum = 0,
              .maximum = 1,
              .minimum_excluded = true})
        .key("classifier", classifier,
             {.help = "published: two hidden layers; single: one linear layer; auto: single below 64x64 pixels",
              .allowed = {"auto", "published", "single"}})
        .key("hidden", hidden,
             {.help = "width of the published classifier's hidden layers", .minimum = 1, .maximum = kMaximumUnits})
        .key("dropout", dropout,
             {.help = "probability after each hidden layer; before the single layer", .minimum = 0, .maximum = 0.99});
  }
};

/// Convolutions of each stage.
struct Form {
  std::int64_t depth;
  std::array<int, 5> convolutions;
};

const Form& form_of(std::int64_t depth) {
  static const std::array<Form, 4> table = {
      {{11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}}};
  for (const Form& form : table) {
    if (form.depth == depth) return form;
  }
  throw UsageError(fmt::format("model.depth = {}: VGG networks have depth 11, 13, 16 or 19", depth));
}

/// A width that nothing has would be a key read and ignored.
void refuse_hidden(const VggOptions& options) {
  if (options.hidden == VggOptions().hidden) return;
  throw UsageError(
      fmt::format("model.hidden = {}: the single classifier has no hidden layers; expected model.classifier = "
                  "\"published\", or no model.hidden",
                  options.hidden));
}

class Vgg : public Model {
 public:
  Vgg(const VggOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : dropout_(static_cast<float>(options.dropout)) {
    const std::int64_t features = build_stages(options, store, image);
    const bool single =
        options.classifier == "single" || (options.classifier == "auto" && std::min(image[0], image[1]) < 64);
    if (single) {
      refuse_hidden(options);
      head_.emplace_back(store, "fc1", features, classes, false);
    } else {
      head_.emplace_back(store, "fc1", features, options.hidden, true);
      head_.emplace_back(store, "fc2", options.hidden, options.hidden, true);
      head_.emplace_back(store, "fc3", options.hidden, classes, false);
    }
  }

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    nn::Deferred map = nn::Variable{images};
    for (const Stage& stage : stages_) {
      for (const ConvBlock& block : stage.blocks) map = block(pass, map);
      if (stage.pooled) map = nn::max_pool(pass, stage.pool, map, {});
    }
    nn::Variable x = nn::flatten(pass, kFlatten, map);
    if (head_.size() == 1) return head_[0](pass, nn::dropout(pass, kDropout[0], x, dropout_));
    x = nn::dropout(pass, kDropout[0], head_[0](pass, x), dropout_);
    return head_[2](pass, nn::dropout(pass, kDropout[1], head_[1](pass, x), dropout_));
  }

 private:
  struct Stage {
    std::vector<ConvBlock> blocks;
    std::string pool;
    bool pooled = true;
  };
  inline static const std::string kFlatten = "flatten", kDropout[] = {"dropout1", "dropout2"};

  /// Registers the stages, before the head; returns how many values each image has after them.
  std::int64_t build_stages(const VggOptions& options, ParameterStore& store, Shape image) {
    std::int64_t height = image[0], width = image[1], in = image[2], channels = options.width;
    for (const int convolutions : form_of(options.depth).convolutions) {
      const std::string number = std::to_string(stages_.size() + 1);
      Stage& stage = stages_.emplace_back();
      for (int i = 1; i <= convolutions; ++i) {
        stage.blocks.emplace_back(store, fmt::format("stage{}.conv{}", number, i),
                                  ConvBlockOptions{.in = in,
                                                   .out = channels,
                                                   .kernel = 3,
                                                   .geometry = {.padding = 1},
                                                   .norm = options.norm,
                                                   .relu = true,
                                                   .norm_momentum = options.norm_momentum});
        in = channels;
      }
      stage.pool = "pool" + number;
      stage.pooled = height >= 2 && width >= 2;
      if (stage.pooled) height /= 2, width /= 2;
      channels = std::min(2 * channels, 8 * options.width);
    }
    return height * width * in;
  }

  std::vector<Stage> stages_;
  std::vector<nn::Linear> head_;
  float dropout_;
};

}  // namespace

ModelEntry vgg_entry() {
  return entry<Vgg, VggOptions>("vgg", "VGG network, with batch norm or without");
}

}  // namespace mpdist::models
