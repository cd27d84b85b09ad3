// SPDX-License-Identifier: Apache-2.0
#include "src/nn/pooling.hpp"

namespace mpdist::nn {
namespace {

Tensor output_of(const Pass& pass, const Tensor& x, const kernels::PoolingGeometry& geometry) {
  const Shape& in = x.shape();
  return pass.activation({in[0], geometry.output_extent(in[1]), geometry.output_extent(in[2]), in[3]});
}

Tensor gradient_like(const Tape& tape, const Shape& shape, DType dtype) {
  return Tensor(shape, dtype, MemoryKind::activations, tape.stream().pool());
}

}  // namespace

Variable max_pool(const Pass& pass, const std::string& name, const Variable& x, kernels::PoolingGeometry geometry) {
  const Tensor y = output_of(pass, x.value, geometry);
  kernels::max_pool_forward(pass.stream, {.x = x.value, .y = y, .geometry = geometry});
  Tape* tape = pass.tape;
  return pass.finish(name, "max_pool", y, {}, [tape, x, geometry](const Tensor& dy) {
    const Tensor dx = gradient_like(*tape, x.value.shape(), dy.dtype());
    kernels::max_pool_backward(tape->stream(), {.x = x.value, .dy = dy, .dx = dx, .geometry = geometry});
    tape->accumulate(x.node, dx);
  });
}

Variable average_pool(const Pass& pass, const std::string& name, const Variable& x, kernels::PoolingGeometry geometry) {
  const Tensor y = output_of(pass, x.value, geometry);
  kernels::average_pool_forward(pass.stream, {.x = x.value, .y = y, .geometry = geometry});
  Tape* tape = pass.tape;
  return pass.finish(name, "average_pool", y, {},
                     [tape, node = x.node, shape = x.value.shape(), pooled = y.shape(), geometry](const Tensor& dy) {
                       const Tensor dx = gradient_like(*tape, shape, dy.dtype());
                       kernels::average_pool_backward(tape->stream(),
                                                      {.dy = dy.reshaped(pooled), .dx = dx, .geometry = geometry});
                       tape->accumulate(node, dx);
                     });
}

Variable global_average_pool(const Pass& pass, const std::string& name, const Variable& x) {
  const Shape& in = x.value.shape();
  require(in[1] == in[2], "global_average_pool: square images expected, found {}", in.to_string());
  Variable y = average_pool(pass, name, x, {.window = in[1], .stride = in[1]});
  y.value = y.value.reshaped({in[0], in[3]});
  return y;
}

}  // namespace mpdist::nn
