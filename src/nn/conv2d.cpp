// SPDX-License-Identifier: Apache-2.0
#include "src/nn/conv2d.hpp"

namespace mpdist::nn {

Conv2d::Conv2d(ParameterStore& store, std::string name, Conv2dOptions options)
    : name_(std::move(name)), options_(options) {
  const std::int64_t in_group = options.in / options.geometry.groups;
  const std::int64_t window = options.kernel * options.kernel;
  weight_ = &store.add(name_, "weight", {options.out, options.kernel, options.kernel, in_group}, ParameterRole::weight,
                       Initializer::he_normal, in_group * window, options.out / options.geometry.groups * window);
  if (options.bias) bias_ = &store.add(name_, "bias", {options.out}, ParameterRole::bias, Initializer::zeros);
}

Variable Conv2d::operator()(const Pass& pass, const Variable& x) const {
  const Shape& in = x.value.shape();
  const kernels::Conv2dGeometry& geometry = options_.geometry;
  const Tensor weight = pass.parameters.working(*weight_);
  const Tensor y = pass.activation({in[0], geometry.output_extent(in[1], options_.kernel),
                                    geometry.output_extent(in[2], options_.kernel), options_.out});
  kernels::conv2d_forward(pass.stream, {.x = x.value,
                                        .weight = weight,
                                        .bias = bias_ ? pass.parameters.working(*bias_) : Tensor(),
                                        .y = y,
                                        .geometry = geometry,
                                        .relu = options_.relu});
  Tape* tape = pass.tape;
  return pass.finish(name_, "conv2d", y, {weight_, bias_},
                     [this, tape, x, weight, masked = options_.relu ? y : Tensor()](const Tensor& dy) {
                       Stream& stream = tape->stream();
                       const Tensor dx =
                           x.node < 0 ? Tensor()
                                      : Tensor(x.value.shape(), dy.dtype(), MemoryKind::activations, stream.pool());
                       const ParameterGradient dbias = bias_ ? tape->gradient_of(*bias_) : ParameterGradient{};
                       const ParameterGradient dweight = tape->gradient_of(*weight_);
                       kernels::conv2d_backward(stream, {.x = x.value,
                                                         .weight = weight,
                                                         .y = masked,
                                                         .dy = dy,
                                                         .dx = dx,
                                                         .dweight = dweight.values,
                                                         .dbias = dbias.values,
                                                         .geometry = options_.geometry,
                                                         .relu = options_.relu,
                                                         .accumulate = dweight.accumulate});
                       if (bias_) tape->differentiated(*bias_);
                       tape->differentiated(*weight_);
                       tape->accumulate(x.node, dx);
                     });
}

}  // namespace mpdist::nn
