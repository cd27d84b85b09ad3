// SPDX-License-Identifier: Apache-2.0
#include "src/models/sequential.hpp"

#include "src/models/layer.hpp"
#include "src/models/model.hpp"

namespace mpdist::models {
namespace {

struct SequentialOptions : Options {
  double norm_momentum = 0.1;
  TableList layers{"type", layer_kinds};

  void describe(Schema& schema) override {
    schema
        .key("norm_momentum", norm_momentum,
             {.help = "share of a batch in the running statistics",
              .minimum = 0,
              .maximum = 1,
              .minimum_excluded = true})
        .key("layers", layers, {.help = "the network, layer by layer"});
  }
};

LayerList build(const SequentialOptions& options, ParameterStore& store, Shape image, std::int64_t classes) {
  std::set<std::string> names;
  LayerSite site{.store = store,
                 .classes = classes,
                 .norm_momentum = options.norm_momentum,
                 .taken = names,
                 .shape = image,
                 .name = {},
                 .path = "model",
                 .place = {}};
  LayerList layers(options.layers, "layers", site);
  if (site.shape == Shape{classes}) return layers;
  throw UsageError(
      fmt::format("model.layers: the network leaves {} of an image {}, expected [{}], a value per class: end it with a "
                  "layer of type = \"linear\" without units",
                  site.shape.to_string(), image.to_string(), classes));
}

class Sequential : public Model {
 public:
  Sequential(const SequentialOptions& options, ParameterStore& store, Shape image, std::int64_t classes)
      : layers_(build(options, store, image, classes)) {}
  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    return layers_(pass, nn::Variable{images});
  }

 private:
  LayerList layers_;
};

}  // namespace

ModelEntry sequential_entry() {
  return entry<Sequential, SequentialOptions>("sequential", "a network written as [[model.layers]]");
}

}  // namespace mpdist::models
