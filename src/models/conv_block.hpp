// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "src/nn/batch_norm.hpp"
#include "src/nn/conv2d.hpp"

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
  /// `residual`: a variable without a value where there is none; needs a norm.
  nn::Variable operator()(const nn::Pass& pass, const nn::Variable& x, const nn::Variable& residual = {}) const;

 private:
  nn::Conv2d convolution_;
  std::optional<nn::BatchNorm> norm_;
};

}  // namespace mpdist::models
