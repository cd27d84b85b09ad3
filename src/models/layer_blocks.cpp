// SPDX-License-Identifier: Apache-2.0
#include "src/models/layer_blocks.hpp"

#include <optional>
#include <utility>

#include "src/nn/join.hpp"
#include "src/nn/linear.hpp"

namespace mpdist::models {
namespace {

/// The way around the layers of a residual block where the shapes differ.
struct Shortcut {
  std::optional<ConvBlock> convolution;
  std::optional<nn::Linear> linear;  ///< both empty: x itself

  nn::Deferred operator()(const nn::Pass& pass, const nn::Deferred& x) const {
    if (linear) return (*linear)(pass, x);
    return convolution ? (*convolution)(pass, x) : x;
  }
};

class Residual : public Layer {
 public:
  Residual(std::string name, std::string activation, LayerList layers, Shortcut shortcut)
      : sum_(name + ".sum"),
        activation_name_(name + "." + activation),
        activation_(std::move(activation)),
        layers_(std::move(layers)),
        shortcut_(std::move(shortcut)) {}

  nn::Deferred forward(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred&) const override {
    if (!layers_.can_close()) {
      const nn::Deferred y = layers_(pass, x);
      return activate(pass, activation_name_, activation_, nn::add(pass, sum_, y, shortcut_(pass, x)));
    }
    const nn::Deferred y = layers_.open(pass, x);
    const nn::Deferred closed = layers_.close(pass, y, shortcut_(pass, x));
    return activation_ == "gelu" ? activate(pass, activation_name_, activation_, closed) : closed;
  }

 private:
  std::string sum_, activation_name_, activation_;
  LayerList layers_;
  Shortcut shortcut_;
};

/// The stride of a 1x1 convolution that makes the extents of `out` of those of `in`; nothing where there is none.
std::optional<std::int64_t> stride_between(const Shape& in, const Shape& out) {
  const std::int64_t stride = (in[0] + out[0] - 1) / out[0];
  const kernels::Conv2dGeometry geometry{.stride = stride};
  const bool fits = geometry.output_extent(in[0], 1) == out[0] && geometry.output_extent(in[1], 1) == out[1];
  return fits ? std::optional(stride) : std::nullopt;
}

/// `in` and `out`: shapes of what goes around and of what it is added to.
Shortcut make_shortcut(LayerSite& site, const Shape& in, const Shape& out, bool norm) {
  const std::string name = site.name + ".shortcut";
  Shortcut shortcut;
  if (in == out) return shortcut;
  site.take_part("shortcut");
  if (in.rank() == 1 && out.rank() == 1) {
    shortcut.linear.emplace(site.store, name, in[0], out[0], false);
    return shortcut;
  }
  const std::optional<std::int64_t> stride = in.rank() == 3 && out.rank() == 3 ? stride_between(in, out) : std::nullopt;
  if (!stride)
    site.fail(fmt::format("no 1x1 convolution makes {} of the block's input {}", out.to_string(), in.to_string()));
  if (norm) site.take_part("shortcut.norm");
  shortcut.convolution.emplace(site.store, name,
                               ConvBlockOptions{.in = in[2],
                                                .out = out[2],
                                                .kernel = 1,
                                                .geometry = {.stride = *stride},
                                                .norm = norm,
                                                .norm_momentum = site.norm_momentum});
  return shortcut;
}

class Branch : public Layer {
 public:
  Branch(const std::string& name, bool concat, std::string activation, std::vector<LayerList> paths)
      : concat_(concat),
        activation_name_(name + "." + activation),
        activation_(std::move(activation)),
        paths_(std::move(paths)) {
    for (std::size_t i = 0; i + 1 < paths_.size() || i == 0; ++i)
      join_names_.push_back(name + (concat ? ".concat" : ".sum") + (i == 0 ? "" : std::to_string(i + 1)));
  }

  nn::Deferred forward(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred&) const override {
    std::vector<nn::Variable> parts;
    parts.reserve(paths_.size());
    for (const LayerList& path : paths_) parts.push_back(path(pass, x));
    return activate(pass, activation_name_, activation_,
                    concat_ ? nn::concat(pass, join_names_[0], parts) : sum(pass, parts));
  }

 private:
  nn::Variable sum(const nn::Pass& pass, const std::vector<nn::Variable>& parts) const {
    nn::Variable y = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) y = nn::add(pass, join_names_[i - 1], y, parts[i]);
    return y;
  }

  bool concat_;
  std::string activation_name_, activation_;
  std::vector<std::string> join_names_;
  std::vector<LayerList> paths_;
};

/// The shape of the joined paths; fails where they do not fit.
Shape joined_shape(const LayerSite& site, const std::vector<Shape>& shapes, bool concat) {
  Shape joined;
  std::int64_t channels = 0;
  const Shape& first = shapes.front();
  for (const Shape& shape : shapes) {
    bool fits = shape.rank() == first.rank();
    for (int i = 0; fits && i + 1 < first.rank(); ++i) fits = shape[i] == first[i];
    if (!fits || (!concat && !(shape == first))) {
      site.fail(fmt::format("paths that are {} must leave the same {}, found {} and {}",
                            concat ? "concatenated" : "added", concat ? "height and width" : "shape", first.to_string(),
                            shape.to_string()));
    }
    channels += shape[-1];
  }
  for (int i = 0; i + 1 < first.rank(); ++i) joined.append(first[i]);
  joined.append(concat ? channels : first[-1]);
  return joined;
}

}  // namespace

void ResidualOptions::describe_own(Schema& schema) {
  schema.key("layers", layers, {.help = "the way through the block"})
      .key("shortcut", shortcut,
           {.help = "auto: the input, or a 1x1 convolution where shapes differ; identity: the input alone",
            .allowed = {"auto", "identity"}});
  describe_activation(schema, activation, "of the sum");
}

std::unique_ptr<Layer> ResidualOptions::build(LayerSite& site) const {
  if (layers.elements.empty()) site.fail("layers: expected at least one");
  const Shape in = site.shape;
  LayerList list(layers, "layers", site, activation == "relu");
  if (shortcut == "identity" && !(in == site.shape)) {
    site.fail(fmt::format("shortcut = \"identity\" adds the input {} to {}: shapes must be equal", in.to_string(),
                          site.shape.to_string()));
  }
  return std::make_unique<Residual>(site.name, activation, std::move(list),
                                    make_shortcut(site, in, site.shape, list.can_close()));
}

void PathOptions::describe(Schema& schema) {
  schema.key("layers", layers, {.help = "the way along this path; none: the input itself"})
      .key("name", name, {.help = "of the path in checkpoints and messages; empty: path and number"});
}

void BranchOptions::describe_own(Schema& schema) {
  schema.key("paths", paths, {.help = "ways from the same input"})
      .key("join", join,
           {.help = "how the paths meet: side by side in the channels, or added", .allowed = {"concat", "add"}});
  describe_activation(schema, activation, "of the result");
}

std::unique_ptr<Layer> BranchOptions::build(LayerSite& site) const {
  if (paths.elements.empty()) site.fail("paths: expected at least one");
  std::vector<LayerList> lists;
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < paths.elements.size(); ++i) {
    const auto& options = dynamic_cast<const PathOptions&>(*paths.elements[i].options);
    const std::string own = options.name.empty() ? "path" + std::to_string(i + 1) : options.name;
    LayerSite path = site;
    path.name = site.name + "." + own;
    path.path = fmt::format("{}.paths[{}]", site.path, i);
    path.place = paths.elements[i].place;
    path.take_name(own);
    lists.emplace_back(options.layers, "layers", path);
    shapes.push_back(path.shape);
  }
  site.shape = joined_shape(site, shapes, join == "concat");
  return std::make_unique<Branch>(site.name, join == "concat", activation, std::move(lists));
}

}  // namespace mpdist::models
