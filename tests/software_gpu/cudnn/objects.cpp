// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/cudnn/objects.hpp"

namespace software_gpu::cudnn {

std::int64_t Tensor::extent() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) last += (dims[i] - 1) * strides[i];
  return last + 1;
}

bool Tensor::channels_last() const {
  const Four packed = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] > 1 && strides[i] != packed[i]) return false;
  }
  return true;
}

const Tensor& Node::image() const {
  return kind == Kind::forward ? inputs[0] : kind == Kind::backward_data ? output : inputs[1];
}
const Tensor& Node::filter() const {
  return kind == Kind::backward_filter ? output : inputs[1];
}
const Tensor& Node::response() const {
  return kind == Kind::forward ? output : inputs[0];
}

}  // namespace software_gpu::cudnn
