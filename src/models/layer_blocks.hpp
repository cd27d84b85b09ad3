// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/models/layer.hpp"

namespace mpdist::models {

/// y = activation(layers(x) + shortcut(x)) (He et al. 2016). The shortcut is x where the shapes are equal, else a 1x1
/// convolution <name>.shortcut with the stride that fits (of features: a linear layer), with batch norm where the last
/// layer has it (option B). Where the last layer is a convolution with norm or a batch norm, without activation, sum
/// and ReLU are part of it.
struct ResidualOptions : LayerOptions {
  TableList layers{"type", layer_kinds};
  std::string shortcut = "auto", activation = "relu";
  void describe_own(Schema& schema) override;
  std::unique_ptr<Layer> build(LayerSite& site) const override;
};

/// One path of a branch.
struct PathOptions : Options {
  std::string name;
  TableList layers{"type", layer_kinds};
  void describe(Schema& schema) override;
};

/// Several paths from one input, whose results are concatenated along the channels or added. A path without layers is
/// the input itself.
struct BranchOptions : LayerOptions {
  TableList paths = TableList::of<PathOptions>();
  std::string join = "concat", activation = "none";
  void describe_own(Schema& schema) override;
  std::unique_ptr<Layer> build(LayerSite& site) const override;
};

}  // namespace mpdist::models
