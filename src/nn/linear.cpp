// SPDX-License-Identifier: Apache-2.0
#include "src/nn/linear.hpp"

#include "kernels/linear.hpp"

namespace mpdist::nn {

Linear::Linear(ParameterStore& store, std::string name, std::int64_t in, std::int64_t out, bool relu)
    : name_(std::move(name)),
      weight_(&store.add(name_, "weight", {out, in}, ParameterRole::weight,
                         relu ? Initializer::he_normal : Initializer::glorot_uniform, in, out)),
      bias_(&store.add(name_, "bias", {out}, ParameterRole::bias, Initializer::zeros)),
      relu_(relu) {}

Variable Linear::operator()(const Pass& pass, const Variable& x) const {
  const Tensor weight = pass.parameters.working(*weight_);
  const Tensor y = pass.activation({x.value.shape()[0], weight_->shape[0]});
  kernels::linear_forward(
      pass.stream, {.x = x.value, .weight = weight, .bias = pass.parameters.working(*bias_), .y = y, .relu = relu_});
  Tape* tape = pass.tape;
  return pass.finish(name_, "linear", y, {weight_, bias_}, [this, tape, x, weight, y](const Tensor& dy) {
    Stream& stream = tape->stream();
    const Tensor dx =
        x.node < 0 ? Tensor() : Tensor(x.value.shape(), dy.dtype(), MemoryKind::activations, stream.pool());
    const ParameterGradient dbias = tape->gradient_of(*bias_);
    const ParameterGradient dweight = tape->gradient_of(*weight_);
    kernels::linear_backward(stream, {.x = x.value,
                                      .weight = weight,
                                      .y = relu_ ? y : Tensor(),
                                      .dy = dy,
                                      .dx = dx,
                                      .dweight = dweight.values,
                                      .dbias = dbias.values,
                                      .relu = relu_,
                                      .accumulate = dweight.accumulate});
    tape->differentiated(*bias_);
    tape->differentiated(*weight_);
    tape->accumulate(x.node, dx);
  });
}

}  // namespace mpdist::nn
