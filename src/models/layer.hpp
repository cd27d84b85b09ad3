// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/core/schema.hpp"
#include "src/models/conv_block.hpp"

namespace mpdist::models {

/// One layer or block of a network that the config writes as a list.
class Layer {
 public:
  virtual ~Layer() = default;
  /// `residual` is added at the end, before the ReLU: only to layers whose options say takes_residual().
  virtual nn::Deferred forward(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual) const = 0;
};

/// What the building of one layer is given, and the shape that it changes.
struct LayerSite {
  ParameterStore& store;
  std::int64_t classes;  ///< of the data set
  double norm_momentum;
  std::set<std::string>& taken;  ///< names of the network so far
  Shape shape;        ///< of one image: [height, width, channels] or [features]; before, then after the layer
  std::string name;   ///< in the store and in diagnoses: "residual1.conv2"
  std::string path;   ///< in the config: "model.layers[3].layers[1]"
  std::string place;  ///< where the config has it: "train.toml:12:1"; may be empty
  bool relu = false;  ///< ends with a ReLU although its options have none: only where they say takes_relu()

  /// UsageError "train.toml:12:1: model.layers[3] (conv2): problem".
  [[noreturn]] void fail(const std::string& problem) const;
  /// Fails unless `own`, the last part of the name, is a name, and the whole is new.
  void take_name(const std::string& own) const;
  /// The same of "<name>.<part>", which the layer registers beside itself.
  void take_part(const std::string& part) const;
  /// Height, width and channels; fails where the shape has no such thing, naming `what` needs it.
  void need_image(const std::string& what) const;
};

/// The keys of one element of [[model.layers]]; own keys are added by each kind.
struct LayerOptions : Options {
  std::string name;         ///< empty: kind and number
  std::int64_t repeat = 1;  ///< times, with parameters of their own

  void describe(Schema& schema) final;
  virtual void describe_own(Schema& schema) = 0;
  virtual std::unique_ptr<Layer> build(LayerSite& site) const = 0;
  /// Whether it can end with a ReLU that its options do not ask for.
  virtual bool takes_relu() const { return false; }
  /// Whether it can add a residual in its own operation.
  virtual bool takes_residual() const { return false; }
};

/// Every kind of layer by its word in the key `type`.
const std::vector<TableList::Kind>& layer_kinds();

/// Layers one after the other.
class LayerList {
 public:
  /// Builds the elements of `list`. `site` is that of what contains the list: names are prefixed with site.name and a
  /// dot where it has one; its shape becomes the last layer's. `last_relu`: see close().
  LayerList(const TableList& list, const std::string& key, LayerSite& site, bool last_relu = false);

  nn::Deferred operator()(const nn::Pass& pass, nn::Deferred x) const;

  /// Whether the last layer takes a residual (and, with `last_relu`, ends with a ReLU behind it): then open() and
  /// close() run the list in two parts, all but the last and the last.
  bool can_close() const { return can_close_; }
  nn::Deferred open(const nn::Pass& pass, nn::Deferred x) const;
  nn::Deferred close(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual) const;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
  bool can_close_ = false;
};

/// ReLU or GELU by the word of a key `activation`, "none" for none.
nn::Deferred activate(const nn::Pass& pass, const std::string& name, const std::string& activation,
                      const nn::Deferred& x);
/// The key `activation`.
void describe_activation(Schema& schema, std::string& activation, const char* help);

}  // namespace mpdist::models
