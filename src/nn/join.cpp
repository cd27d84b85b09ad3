// SPDX-License-Identifier: Apache-2.0
#include "src/nn/join.hpp"

#include <algorithm>

#include "kernels/add.hpp"
#include "kernels/cast.hpp"
#include "kernels/concat.hpp"

namespace mpdist::nn {

Variable add(const Pass& pass, const std::string& name, const Variable& left, const Variable& right) {
  const Tensor y = pass.like(left.value);
  kernels::add(pass.stream, {.left = left.value, .right = right.value, .out = y});
  Tape* tape = pass.tape;
  return pass.finish(name, "add", y, {}, [tape, left = left.node, right = right.node](const Tensor& dy) {
    if (left >= 0 && right >= 0) {  // each side owns its memory
      const Tensor copy(dy.shape(), dy.dtype(), MemoryKind::activations, tape->stream().pool());
      kernels::cast(tape->stream(), {.source = dy, .destination = copy});
      tape->accumulate(right, copy);
      tape->accumulate(left, dy);
    } else {
      tape->accumulate(std::max(left, right), dy);
    }
  });
}

Variable concat(const Pass& pass, const std::string& name, const std::vector<Variable>& parts) {
  struct Part {
    int node;
    Shape shape;
    std::int64_t first;
  };
  require(!parts.empty(), "{}: nothing to concatenate", name);
  std::vector<Part> places;
  std::int64_t channels = 0;
  for (const Variable& part : parts) {
    places.push_back({part.node, part.value.shape(), channels});
    channels += part.value.shape()[-1];
  }
  Shape shape;
  for (int i = 0; i + 1 < places[0].shape.rank(); ++i) shape.append(places[0].shape[i]);
  shape.append(channels);
  const Tensor y = pass.activation(shape);
  for (std::size_t i = 0; i < parts.size(); ++i)
    kernels::concat_forward(pass.stream, {.part = parts[i].value, .whole = y, .first = places[i].first});
  Tape* tape = pass.tape;
  return pass.finish(name, "concat", y, {}, [tape, places](const Tensor& dy) {
    for (auto part = places.rbegin(); part != places.rend(); ++part) {
      if (part->node < 0) continue;
      const Tensor dpart(part->shape, dy.dtype(), MemoryKind::activations, tape->stream().pool());
      kernels::concat_backward(tape->stream(), {.dwhole = dy, .dpart = dpart, .first = part->first});
      tape->accumulate(part->node, dpart);
    }
  });
}

}  // namespace mpdist::nn
