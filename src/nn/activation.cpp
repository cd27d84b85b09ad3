// SPDX-License-Identifier: Apache-2.0
#include "src/nn/activation.hpp"

#include "kernels/dropout.hpp"
#include "kernels/gelu.hpp"
#include "kernels/relu.hpp"

namespace mpdist::nn {

Variable relu(const Pass& pass, const std::string& name, const Variable& x) {
  const Tensor y = pass.like(x.value);
  kernels::relu_forward(pass.stream, {.x = x.value, .y = y});
  Tape* tape = pass.tape;
  return pass.finish(name, "relu", y, {}, [tape, node = x.node, y](const Tensor& dy) {
    kernels::relu_backward(tape->stream(), {.y = y, .dy = dy, .dx = dy});
    tape->accumulate(node, dy);
  });
}

Variable gelu(const Pass& pass, const std::string& name, const Variable& x) {
  const Tensor y = pass.like(x.value);
  kernels::gelu_forward(pass.stream, {.x = x.value, .y = y});
  Tape* tape = pass.tape;
  return pass.finish(name, "gelu", y, {}, [tape, x](const Tensor& dy) {
    kernels::gelu_backward(tape->stream(), {.x = x.value, .dy = dy, .dx = dy});
    tape->accumulate(x.node, dy);
  });
}

Variable dropout(const Pass& pass, const std::string& name, const Variable& x, float probability) {
  if (!pass.training() || probability == 0) return x;
  kernels::Dropout arguments{.x = x.value,
                             .y = pass.like(x.value),
                             .probability = probability,
                             .key = pass.key(name),
                             .first_item = static_cast<std::uint64_t>(pass.first_position)};
  kernels::dropout(pass.stream, arguments);
  const Tensor y = arguments.y;
  arguments.x = arguments.y = Tensor();
  Tape* tape = pass.tape;
  return pass.finish(name, "dropout", y, {}, [tape, node = x.node, arguments](const Tensor& dy) mutable {
    arguments.x = arguments.y = dy;
    kernels::dropout(tape->stream(), arguments);
    tape->accumulate(node, dy);
  });
}

Variable flatten(const Pass& pass, const std::string& name, const Variable& x) {
  const std::int64_t rows = x.value.shape()[0];
  const Tensor y = x.value.reshaped({rows, rows ? x.value.elements() / rows : 0});
  Tape* tape = pass.tape;
  return pass.finish(name, "flatten", y, {}, [tape, node = x.node, shape = x.value.shape()](const Tensor& dy) {
    tape->accumulate(node, dy.reshaped(shape));
  });
}

}  // namespace mpdist::nn
