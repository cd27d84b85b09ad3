// SPDX-License-Identifier: Apache-2.0
// Shorthand for descriptors of the backend API: tensors, convolutions, pointwise operations.
#pragma once
#include <cudnn_graph.h>

#include <memory>

#include "tests/software_gpu/tests/matrix_data.hpp"

namespace software_gpu::testing {

inline void dnn(cudnnStatus_t expected, cudnnStatus_t found, int line = __builtin_LINE()) {
  require(expected == found, std::string(cudnnGetErrorString(expected)) + " == " + cudnnGetErrorString(found), line);
}
inline void dnn(cudnnStatus_t found, int line = __builtin_LINE()) {
  dnn(CUDNN_STATUS_SUCCESS, found, line);
}

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) { dnn(cudnnBackendCreateDescriptor(type, &handle_)); }
  ~Descriptor() { dnn(cudnnBackendDestroyDescriptor(handle_)); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  cudnnBackendDescriptor_t get() const { return handle_; }
  template <class T>
  cudnnStatus_t try_set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                        const std::vector<T>& values) {
    return cudnnBackendSetAttribute(handle_, name, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value,
                  int line = __builtin_LINE()) {
    dnn(cudnnBackendSetAttribute(handle_, name, type, 1, &value), line);
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::vector<std::int64_t> values, int line = __builtin_LINE()) {
    dnn(try_set(name, CUDNN_TYPE_INT64, values), line);
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& part, int line = __builtin_LINE()) {
    dnn(try_set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector<cudnnBackendDescriptor_t>{part.get()}), line);
    return *this;
  }
  cudnnStatus_t try_finalize() { return cudnnBackendFinalize(handle_); }
  Descriptor& finalize(int line = __builtin_LINE()) {
    dnn(try_finalize(), line);
    return *this;
  }
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
    std::int64_t count = 0;
    dnn(cudnnBackendGetAttribute(handle_, name, type, 0, &count, nullptr));
    std::vector<T> values(static_cast<std::size_t>(count));
    if (count > 0) dnn(cudnnBackendGetAttribute(handle_, name, type, count, &count, values.data()));
    return values;
  }

 private:
  cudnnBackendDescriptor_t handle_ = nullptr;
};
using DescriptorPtr = std::unique_ptr<Descriptor>;
using Dims = std::vector<std::int64_t>;

inline cudnnDataType_t data_type(Element type) {
  return type == Element::fp32 ? CUDNN_DATA_FLOAT : type == Element::fp16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
}
inline Dims channels_last(const Dims& d) {
  return {d[1] * d[2] * d[3], 1, d[1] * d[3], d[1]};
}
inline Dims channels_first(const Dims& d) {
  return {d[1] * d[2] * d[3], d[2] * d[3], d[3], 1};
}
inline std::size_t volume(const Dims& d) {
  return static_cast<std::size_t>(d[0] * d[1] * d[2] * d[3]);
}

/// A tensor, not yet final.
inline DescriptorPtr open_tensor(std::int64_t uid, Element type, const Dims& dims, const Dims& strides) {
  auto tensor = std::make_unique<Descriptor>(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor->set(CUDNN_ATTR_TENSOR_UNIQUE_ID, Dims{uid})
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, data_type(type))
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, Dims{16})
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, dims)
      .set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  return tensor;
}
inline DescriptorPtr tensor(std::int64_t uid, Element type, const Dims& dims, bool is_virtual = false) {
  auto result = open_tensor(uid, type, dims, channels_last(dims));
  result->set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual).finalize();
  return result;
}

struct Geometry {
  std::int64_t stride = 1, padding = 1, dilation = 1;
  std::int64_t more_after = 0;  ///< padding at the end, beyond `padding`
};
inline DescriptorPtr open_convolution(const Geometry& g) {
  auto convolution = std::make_unique<Descriptor>(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution->set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, Dims{2})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Dims{g.dilation, g.dilation})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Dims{g.stride, g.stride})
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Dims{g.padding, g.padding})
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Dims{g.padding + g.more_after, g.padding + g.more_after});
  return convolution;
}

inline DescriptorPtr open_pointwise_operation(cudnnPointwiseMode_t mode) {
  Descriptor pointwise(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  pointwise.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
      .finalize();
  auto operation = std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation->set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise);
  return operation;
}

/// y = mode(x, b); b may be null.
inline DescriptorPtr pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor* b,
                               const Descriptor& y) {
  DescriptorPtr operation = open_pointwise_operation(mode);
  operation->set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x).set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  if (b != nullptr) operation->set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  operation->finalize();
  return operation;
}

}  // namespace software_gpu::testing
