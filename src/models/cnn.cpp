// SPDX-License-Identifier: Apache-2.0
#include "src/models/cnn.hpp"

#include "src/models/extents.hpp"
#include "src/models/model.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/conv2d.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"

namespace mpdist::models {
namespace {

struct CnnOptions : Options {
  std::vector<std::int64_t> channels = {32, 64};
  std::int64_t hidden = 128;
  double dropout = 0;

  void describe(Schema& schema) override {
    schema
        .key("channels", channels,
             {.help = "output channels of each stage; a stage halves height and width",
              .minimum = 1,
              .maximum = kMaximumChannels})
        .key("hidden", hidden,
             {.help = "width of the hidden fully connected layer", .minimum = 1, .maximum = kMaximumUnits})
        .key("dropout", dropout, {.help = "probability after the hidden layer", .minimum = 0, .maximum = 0.99});
  }
};

class Cnn : public Model {
 public:
  Cnn(const CnnOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : flat_(build_stages(options, store, image)),
        fc1_(store, "fc1", flat_, options.hidden, true),
        fc2_(store, "fc2", options.hidden, classes, false),
        dropout_(static_cast<float>(options.dropout)) {}

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    nn::Variable x{images};
    for (const Stage& stage : stages_) x = nn::max_pool(pass, stage.pool, stage.convolution(pass, x), {});
    x = nn::flatten(pass, kFlatten, x);
    return fc2_(pass, nn::dropout(pass, kDropout, fc1_(pass, x), dropout_));
  }

 private:
  struct Stage {
    nn::Conv2d convolution;
    std::string pool;
  };
  inline static const std::string kFlatten = "flatten", kDropout = "dropout";

  /// Registers the stages, before fc1_; returns how many values each image has after them.
  std::int64_t build_stages(const CnnOptions& options, ParameterStore& store, Shape image) {
    std::int64_t height = image[0], width = image[1], channels = image[2];
    for (std::int64_t out : options.channels) {
      const std::string number = std::to_string(stages_.size() + 1);
      if (height < 2 || width < 2) {
        throw UsageError(fmt::format("model.channels: {} stages halve a {}x{} image to nothing; at most {} fit",
                                     options.channels.size(), image[0], image[1], stages_.size()));
      }
      stages_.push_back(
          {nn::Conv2d(store, "conv" + number,
                      {.in = channels, .out = out, .kernel = 3, .geometry = {.padding = 1}, .relu = true}),
           "pool" + number});
      height /= 2, width /= 2, channels = out;
    }
    return height * width * channels;
  }

  std::vector<Stage> stages_;
  std::int64_t flat_;
  nn::Linear fc1_, fc2_;
  float dropout_;
};

}  // namespace

ModelEntry cnn_entry() {
  return entry<Cnn, CnnOptions>("cnn", "small convolutional network");
}

}  // namespace mpdist::models
