// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <variant>

#include "src/nn/conv2d.hpp"
#include "src/nn/conv_norm.hpp"

namespace mpdist::models {

/// What a convolution block is beside its name.
struct ConvBlockOptions {
  std::int64_t in = 1, out = 1, kernel = 3;
  kernels::Conv2dGeometry geometry;
  bool norm = false;  ///< batch norm after the convolution, which then has no bias
  bool relu = false;  ///< at the end
  double norm_momentum = 0.1;
};

/// y = relu(norm(convolution(x)) + residual), each part where it is asked for; x [n, h, w, in]. The one place where
/// models say which operations that is. Parameters: <name>.weight, then <name>.bias or <name>.norm.gamma and .beta.
class ConvBlock {
 public:
  ConvBlock(ParameterStore& store, const std::string& name, const ConvBlockOptions& options);
  /// `residual`: nothing where there is none; needs a norm.
  nn::Deferred operator()(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual = {}) const;

 private:
  std::variant<nn::Conv2d, nn::ConvNorm> operation_;
};

}  // namespace mpdist::models
