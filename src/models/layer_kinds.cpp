// SPDX-License-Identifier: Apache-2.0
// The layers of a network in TOML that are one operation.

#include <algorithm>

#include "src/models/extents.hpp"
#include "src/models/layer.hpp"
#include "src/models/layer_blocks.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/batch_norm.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"

namespace mpdist::models {
namespace {

/// A layer that is a function of pass and x.
template <class F>
class FunctionLayer : public Layer {
 public:
  explicit FunctionLayer(F function) : function_(std::move(function)) {}
  nn::Deferred forward(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred&) const override {
    return function_(pass, x);
  }

 private:
  F function_;
};

template <class F>
std::unique_ptr<Layer> function_layer(F function) {
  return std::make_unique<FunctionLayer<F>>(std::move(function));
}

/// An operation that takes a residual (or none) and ends with its own ReLU where there is one; then GELU where asked.
template <class Operation>
class ActivatedLayer : public Layer {
 public:
  ActivatedLayer(Operation operation, std::string name, bool gelu)
      : operation_(std::move(operation)), name_(std::move(name)), gelu_(gelu) {}
  nn::Deferred forward(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual) const override {
    const nn::Deferred y = operation_(pass, x, residual);
    if (gelu_) return nn::gelu(pass, name_, y);
    return y;
  }

 private:
  Operation operation_;
  std::string name_;
  bool gelu_;
};

template <class Operation>
std::unique_ptr<Layer> activated_layer(Operation operation, const LayerSite& site, const std::string& activation) {
  return std::make_unique<ActivatedLayer<Operation>>(std::move(operation), site.name + ".gelu", activation == "gelu");
}

std::string extent_text(const Shape& image) {
  return fmt::format("{}x{}", image[0], image[1]);
}

struct ConvOptions : LayerOptions {
  std::int64_t channels = 1, kernel = 3, stride = 1, groups = 1;
  NumberOrWord padding{.number = 0, .word = "same"};
  bool norm = false;
  std::string activation = "none";

  void describe_own(Schema& schema) override {
    schema
        .key("channels", channels,
             {.help = "output channels", .minimum = 1, .maximum = kMaximumChannels, .required = true})
        .key("kernel", kernel,
             {.help = "height and width of the window", .unit = "pixels", .minimum = 1, .maximum = kMaximumWindow})
        .key("stride", stride,
             {.help = "step of the window", .unit = "pixels", .minimum = 1, .maximum = kMaximumWindow})
        .key("padding", padding,
             {.help = "zeros around the image; same: (kernel - 1) / 2",
              .unit = "pixels",
              .minimum = 0,
              .maximum = kMaximumWindow,
              .words = {"same"}})
        .key("groups", groups,
             {.help = "parts of the channels that do not see each other", .minimum = 1, .maximum = kMaximumChannels})
        .key("norm", norm, {.help = "batch norm behind it, instead of a bias"});
    describe_activation(schema, activation, "at the end");
  }
  bool takes_relu() const override { return activation == "none"; }
  bool takes_residual() const override { return norm && activation == "none"; }

  std::unique_ptr<Layer> build(LayerSite& site) const override {
    site.need_image("a convolution");
    const kernels::Conv2dGeometry geometry{.stride = stride, .padding = padding_in(site), .groups = groups};
    const Shape in = site.shape;
    if (in[2] % groups != 0 || channels % groups != 0) {
      site.fail(fmt::format("groups = {} must divide the {} input and {} output channels", groups, in[2], channels));
    }
    if (std::min(in[0], in[1]) + 2 * geometry.padding < kernel) {
      site.fail(
          fmt::format("kernel {} with padding {} does not fit a {} input", kernel, geometry.padding, extent_text(in)));
    }
    if (norm) site.take_part("norm");
    site.shape = {geometry.output_extent(in[0], kernel), geometry.output_extent(in[1], kernel), channels};
    return activated_layer(ConvBlock(site.store, site.name,
                                     {.in = in[2],
                                      .out = channels,
                                      .kernel = kernel,
                                      .geometry = geometry,
                                      .norm = norm,
                                      .relu = site.relu || activation == "relu",
                                      .norm_momentum = site.norm_momentum}),
                           site, activation);
  }

 private:
  std::int64_t padding_in(const LayerSite& site) const {
    if (padding.word == "same") return (kernel - 1) / 2;
    const auto whole = static_cast<std::int64_t>(padding.number);
    if (static_cast<double>(whole) != padding.number) site.fail("padding: expected an integer or 'same'");
    return whole;
  }
};

struct BatchNormOptions : LayerOptions {
  std::string activation = "none";
  void describe_own(Schema& schema) override { describe_activation(schema, activation, "at the end"); }
  bool takes_relu() const override { return activation == "none"; }
  bool takes_residual() const override { return activation == "none"; }
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    return activated_layer(nn::BatchNorm(site.store, site.name, site.shape[-1], site.relu || activation == "relu",
                                         static_cast<float>(site.norm_momentum)),
                           site, activation);
  }
};

struct LinearOptions : LayerOptions {
  std::int64_t units = 0;
  std::string activation = "none";
  void describe_own(Schema& schema) override {
    schema.key("units", units,
               {.help = "outputs; 0: one per class of the data", .minimum = 0, .maximum = kMaximumUnits});
    describe_activation(schema, activation, "at the end");
  }
  bool takes_relu() const override { return activation == "none"; }
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    const std::int64_t in = site.shape.elements(), out = units == 0 ? site.classes : units;
    nn::Linear linear(site.store, site.name, in, out, site.relu || activation == "relu");
    const bool flat = site.shape.rank() == 1;
    site.shape = {out};
    const auto operation = [linear, flat, name = site.name + ".flatten"](const nn::Pass& pass, const nn::Deferred& x,
                                                                         const nn::Deferred&) {
      const nn::Variable value = x;
      return linear(pass, flat ? value : nn::flatten(pass, name, value));
    };
    return activated_layer(operation, site, activation);
  }
};

template <auto operation>
struct ActivationOptions : LayerOptions {
  void describe_own(Schema&) override {}
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    return function_layer(
        [name = site.name](const nn::Pass& pass, const nn::Deferred& x) { return operation(pass, name, x); });
  }
};

struct DropoutOptions : LayerOptions {
  double probability = 0.5;
  void describe_own(Schema& schema) override {
    schema.key("probability", probability, {.help = "of each value to be dropped", .minimum = 0, .maximum = 0.99});
  }
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    return function_layer([name = site.name, p = static_cast<float>(probability)](
                              const nn::Pass& pass, const nn::Deferred& x) { return nn::dropout(pass, name, x, p); });
  }
};

template <auto operation>
struct PoolOptions : LayerOptions {
  std::int64_t window = 2, stride = 0, padding = 0;
  void describe_own(Schema& schema) override {
    schema
        .key("window", window, {.help = "height and width", .unit = "pixels", .minimum = 1, .maximum = kMaximumWindow})
        .key("stride", stride,
             {.help = "step; 0: the window's extent", .unit = "pixels", .minimum = 0, .maximum = kMaximumWindow})
        .key("padding", padding,
             {.help = "around the image", .unit = "pixels", .minimum = 0, .maximum = kMaximumWindow});
  }
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    site.need_image("pooling");
    const kernels::PoolingGeometry geometry{window, stride == 0 ? window : stride, padding};
    const Shape in = site.shape;
    if (2 * padding > window) site.fail(fmt::format("padding {} is more than half the window {}", padding, window));
    if (std::min(in[0], in[1]) + 2 * padding < window) {
      site.fail(fmt::format("window {} with padding {} does not fit a {} input", window, padding, extent_text(in)));
    }
    site.shape = {geometry.output_extent(in[0]), geometry.output_extent(in[1]), in[2]};
    return function_layer([name = site.name, geometry](const nn::Pass& pass, const nn::Deferred& x) {
      return operation(pass, name, x, geometry);
    });
  }
};

struct GlobalAveragePoolOptions : LayerOptions {
  void describe_own(Schema&) override {}
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    site.need_image("global average pooling");
    if (site.shape[0] != site.shape[1])
      site.fail(fmt::format("needs as many rows as columns, found a {} input", extent_text(site.shape)));
    site.shape = {site.shape[2]};
    return function_layer([name = site.name](const nn::Pass& pass, const nn::Deferred& x) {
      return nn::global_average_pool(pass, name, x);
    });
  }
};

struct FlattenOptions : LayerOptions {
  void describe_own(Schema&) override {}
  std::unique_ptr<Layer> build(LayerSite& site) const override {
    site.shape = {site.shape.elements()};
    return function_layer(
        [name = site.name](const nn::Pass& pass, const nn::Deferred& x) { return nn::flatten(pass, name, x); });
  }
};

template <class T>
TableList::Kind kind(const char* name) {
  return {name, [] { return std::make_unique<T>(); }};
}

}  // namespace

const std::vector<TableList::Kind>& layer_kinds() {
  static const std::vector<TableList::Kind> kinds = {
      kind<ConvOptions>("conv"),
      kind<BatchNormOptions>("batch_norm"),
      kind<LinearOptions>("linear"),
      kind<ActivationOptions<nn::relu>>("relu"),
      kind<ActivationOptions<nn::gelu>>("gelu"),
      kind<DropoutOptions>("dropout"),
      kind<PoolOptions<nn::max_pool>>("max_pool"),
      kind<PoolOptions<nn::average_pool>>("average_pool"),
      kind<GlobalAveragePoolOptions>("global_average_pool"),
      kind<FlattenOptions>("flatten"),
      kind<ResidualOptions>("residual"),
      kind<BranchOptions>("branch"),
  };
  return kinds;
}

}  // namespace mpdist::models
