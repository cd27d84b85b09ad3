// SPDX-License-Identifier: Apache-2.0
#include "src/models/mlp.hpp"

#include "src/models/extents.hpp"
#include "src/models/model.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/linear.hpp"

namespace mpdist::models {
namespace {

struct MlpOptions : Options {
  std::vector<std::int64_t> hidden = {512, 512};
  double dropout = 0;

  void describe(Schema& schema) override {
    schema.key("hidden", hidden, {.help = "width of each hidden layer", .minimum = 1, .maximum = kMaximumUnits})
        .key("dropout", dropout, {.help = "probability after each hidden layer", .minimum = 0, .maximum = 0.99});
  }
};

class Mlp : public Model {
 public:
  Mlp(const MlpOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : dropout_(static_cast<float>(options.dropout)) {
    std::int64_t width = image.elements();
    for (std::int64_t hidden : options.hidden) {
      const std::string number = std::to_string(layers_.size() + 1);
      layers_.emplace_back(store, "fc" + number, width, hidden, true);
      dropout_names_.push_back("dropout" + number);
      width = hidden;
    }
    layers_.emplace_back(store, "fc" + std::to_string(layers_.size() + 1), width, classes, false);
  }

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    const std::int64_t rows = images.shape()[0];
    nn::Variable x{images.reshaped({rows, images.elements() / rows})};
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
      x = dropout(pass, dropout_names_[i], layers_[i](pass, x), dropout_);
    return layers_.back()(pass, x);
  }

 private:
  std::vector<nn::Linear> layers_;
  std::vector<std::string> dropout_names_;
  float dropout_;
};

}  // namespace

ModelEntry mlp_entry() {
  return entry<Mlp, MlpOptions>("mlp", "multi-layer perceptron");
}

}  // namespace mpdist::models
