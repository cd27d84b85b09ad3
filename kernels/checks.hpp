// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/tensor.hpp"

/// What the validate() of kernels have in common. `kernel` and `name` go into the message.
namespace mpdist::kernels::checks {

inline void present(std::string_view kernel, std::string_view name, const Tensor& tensor) {
  require(static_cast<bool>(tensor), "{}: tensor {} is empty", kernel, name);
}

inline void compute_type(std::string_view kernel, std::string_view name, const Tensor& tensor) {
  present(kernel, name, tensor);
  require(is_compute_type(tensor.dtype()), "{}: {} must be fp32, fp16 or bf16, found {}", kernel, name,
          name_of(tensor.dtype()));
}

inline void type_is(std::string_view kernel, std::string_view name, const Tensor& tensor, DType type) {
  present(kernel, name, tensor);
  require(tensor.dtype() == type, "{}: {} must be {}, found {}", kernel, name, name_of(type), name_of(tensor.dtype()));
}

inline void elements_are(std::string_view kernel, std::string_view name, const Tensor& tensor, std::int64_t elements) {
  require(tensor.elements() == elements, "{}: {} must have {} elements, found {}", kernel, name, elements,
          tensor.shape().to_string());
}

inline void shape_is(std::string_view kernel, std::string_view name, const Tensor& tensor, const Shape& shape) {
  require(tensor.shape() == shape, "{}: {} must be {}, found {}", kernel, name, shape.to_string(),
          tensor.shape().to_string());
}

/// Present, of this type and shape.
inline void operand(std::string_view kernel, std::string_view name, const Tensor& tensor, const Shape& shape,
                    DType type) {
  type_is(kernel, name, tensor, type);
  shape_is(kernel, name, tensor, shape);
}

/// [channels] FP32.
inline void per_channel(std::string_view kernel, std::string_view name, const Tensor& tensor, std::int64_t channels) {
  operand(kernel, name, tensor, {channels}, DType::fp32);
}

/// Both present, of one compute type and shape.
inline void alike(std::string_view kernel, std::string_view name, const Tensor& tensor, std::string_view other_name,
                  const Tensor& other) {
  compute_type(kernel, name, tensor);
  present(kernel, other_name, other);
  require(other.dtype() == tensor.dtype() && other.shape() == tensor.shape(), "{}: {} must be {} {} as {}, found {} {}",
          kernel, other_name, name_of(tensor.dtype()), tensor.shape().to_string(), name, name_of(other.dtype()),
          other.shape().to_string());
}

inline void pointer(std::string_view kernel, std::string_view name, const void* p) {
  require(p != nullptr, "{}: {} must not be null", kernel, name);
}

}  // namespace mpdist::kernels::checks
