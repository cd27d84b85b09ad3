// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// Fully connected layer: y = activation(x * weight^T + bias), x [rows, in], y [rows, out].
/// Parameters <name>.weight [out, in], He initialised before a ReLU and Glorot otherwise, and <name>.bias [out], zero.
class Linear {
 public:
  Linear(ParameterStore& store, std::string name, std::int64_t in, std::int64_t out, bool relu);
  Variable operator()(const Pass& pass, const Variable& x) const;

 private:
  std::string name_;
  const Parameter* weight_;
  const Parameter* bias_;
  bool relu_;
};

}  // namespace mpdist::nn
