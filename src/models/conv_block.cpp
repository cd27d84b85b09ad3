// SPDX-License-Identifier: Apache-2.0
#include "src/models/conv_block.hpp"

namespace mpdist::models {

ConvBlock::ConvBlock(ParameterStore& store, const std::string& name, const ConvBlockOptions& options)
    : convolution_(store, name,
                   {.in = options.in,
                    .out = options.out,
                    .kernel = options.kernel,
                    .geometry = options.geometry,
                    .relu = options.relu && !options.norm,
                    .bias = !options.norm}) {
  if (!options.norm) return;
  norm_.emplace(store, name + ".norm", options.out, options.relu, static_cast<float>(options.norm_momentum));
}

nn::Variable ConvBlock::operator()(const nn::Pass& pass, const nn::Variable& x, const nn::Variable& residual) const {
  nn::Variable y = convolution_(pass, x);
  if (norm_) return (*norm_)(pass, y, residual);
  require(!residual.value, "a convolution block without norm takes no residual");
  return y;
}

}  // namespace mpdist::models
