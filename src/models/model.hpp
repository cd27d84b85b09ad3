// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/nn/pass.hpp"

namespace mpdist::models {

/// Plain forward code on layers. The constructor registers the parameters in forward order.
class Model {
 public:
  virtual ~Model() = default;
  /// images [n, h, w, channels] in the compute type -> logits [n, classes].
  virtual nn::Variable forward(const nn::Pass& pass, const Tensor& images) const = 0;
};

}  // namespace mpdist::models
