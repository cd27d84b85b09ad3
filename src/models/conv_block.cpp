// SPDX-License-Identifier: Apache-2.0
#include "src/models/conv_block.hpp"

namespace mpdist::models {

namespace {

std::variant<nn::Conv2d, nn::ConvNorm> make(ParameterStore& store, const std::string& name,
                                            const ConvBlockOptions& options) {
  const nn::Conv2dOptions convolution{.in = options.in,
                                      .out = options.out,
                                      .kernel = options.kernel,
                                      .geometry = options.geometry,
                                      .relu = options.relu,
                                      .bias = !options.norm};
  if (options.norm) return nn::ConvNorm(store, name, convolution, static_cast<float>(options.norm_momentum));
  return nn::Conv2d(store, name, convolution);
}

}  // namespace

ConvBlock::ConvBlock(ParameterStore& store, const std::string& name, const ConvBlockOptions& options)
    : operation_(make(store, name, options)) {}

nn::Deferred ConvBlock::operator()(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual) const {
  if (const auto* norm = std::get_if<nn::ConvNorm>(&operation_)) return (*norm)(pass, x, residual);
  require(!nn::Variable(residual).value, "a convolution block without norm takes no residual");
  return std::get<nn::Conv2d>(operation_)(pass, x);
}

}  // namespace mpdist::models
