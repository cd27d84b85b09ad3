// SPDX-License-Identifier: Apache-2.0
// All of mpdist with one network more: a stem, two parallel paths that are added, and a linear classifier.
#include "launch/program.hpp"
#include "src/models/conv_block.hpp"
#include "src/models/model.hpp"
#include "src/models/registry.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"

using namespace mpdist;

struct TwoPathsOptions : Options {  // the network's own keys of [model]
  std::int64_t channels = 16;
  double dropout = 0.1;
  void describe(Schema& schema) override {
    schema.key("channels", channels, {.help = "of every convolution", .minimum = 1})
        .key("dropout", dropout, {.help = "probability before the last layer", .minimum = 0, .maximum = 0.99});
  }
};

class TwoPaths : public models::Model {
 public:
  // Layers register their parameters here, in the order of the forward pass. Images are [n, height, width, channels].
  TwoPaths(const TwoPathsOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : stem_(store, "stem", block(image[2], options.channels, 3)),
        narrow_(store, "narrow", block(options.channels, options.channels, 1)),
        wide_(store, "wide", block(options.channels, options.channels, 5)),
        head_(store, "head", options.channels, classes, false),
        dropout_(static_cast<float>(options.dropout)) {}

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    const nn::Deferred x = nn::max_pool(pass, kPool, stem_(pass, nn::Variable{images}), {.window = 2, .stride = 2});
    const nn::Deferred sum = wide_(pass, x, narrow_(pass, x));  // the second path is the residual of the first
    return head_(pass, nn::dropout(pass, kDropout, nn::global_average_pool(pass, kMean, sum), dropout_));
  }

 private:
  inline static const std::string kPool = "pool", kMean = "mean", kDropout = "dropout";  // names outlive a pass
  static models::ConvBlockOptions block(std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return {.in = in, .out = out, .kernel = kernel, .geometry = {.padding = kernel / 2}, .norm = true, .relu = true};
  }
  models::ConvBlock stem_, narrow_, wide_;
  nn::Linear head_;
  float dropout_;
};

int main(int argc, char** argv) {
  models::add(models::entry<TwoPaths, TwoPathsOptions>("two_paths", "two parallel paths that are added"));
  return launch::program(argc, argv);
}
