// SPDX-License-Identifier: Apache-2.0
// Shorthand for descriptors of the backend API, and one convolution with its data.
#pragma once
#include <cudnn_graph.h>

#include <initializer_list>
#include <map>
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
};
inline DescriptorPtr open_convolution(const Geometry& g) {
  auto convolution = std::make_unique<Descriptor>(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution->set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, Dims{2})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Dims{g.dilation, g.dilation})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Dims{g.stride, g.stride})
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Dims{g.padding, g.padding})
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Dims{g.padding, g.padding});
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

class Handle {
 public:
  Handle() { dnn(cudnnCreate(&handle_)); }
  ~Handle() { dnn(cudnnDestroy(handle_)); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator cudnnHandle_t() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

inline DescriptorPtr open_graph(cudnnHandle_t handle, const std::vector<const Descriptor*>& operations) {
  auto graph = std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> handles;
  for (const Descriptor* operation : operations) handles.push_back(operation->get());
  dnn(graph->try_set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, handles));
  graph->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle);
  return graph;
}
inline DescriptorPtr graph(cudnnHandle_t handle, const std::vector<const Descriptor*>& operations) {
  DescriptorPtr result = open_graph(handle, operations);
  result->finalize();
  return result;
}

inline DescriptorPtr open_heuristics(const Descriptor& graph, cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A) {
  auto heuristics = std::make_unique<Descriptor>(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics->set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  return heuristics;
}

/// The configurations that a heuristic offers, in its order.
inline std::vector<DescriptorPtr> configurations(const Descriptor& graph,
                                                 cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A) {
  DescriptorPtr heuristics = open_heuristics(graph, mode);
  heuristics->finalize();
  std::int64_t count = 0;
  dnn(cudnnBackendGetAttribute(heuristics->get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0,
                               &count, nullptr));
  std::vector<DescriptorPtr> results;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (std::int64_t i = 0; i < count; ++i) {
    results.push_back(std::make_unique<Descriptor>(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    handles.push_back(results.back()->get());
  }
  dnn(cudnnBackendGetAttribute(heuristics->get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count,
                               &count, handles.data()));
  return results;
}

inline std::vector<cudnnBackendNumericalNote_t> notes(const Descriptor& configuration) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine.get();
  std::int64_t count = 0;
  dnn(cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                               &count, &handle));
  return engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE);
}

inline DescriptorPtr plan(cudnnHandle_t handle, const Descriptor& configuration) {
  auto result = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  result->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle)
      .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)
      .finalize();
  return result;
}
inline std::int64_t workspace_bytes(const Descriptor& plan) {
  return plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64).at(0);
}

inline DescriptorPtr variant_pack(const std::map<std::int64_t, void*>& pointers, void* workspace = nullptr) {
  auto pack = std::make_unique<Descriptor>(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  Dims uids;
  std::vector<void*> values;
  for (const auto& [uid, pointer] : pointers) {
    uids.push_back(uid);
    values.push_back(pointer);
  }
  pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids);
  dnn(pack->try_set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, values));
  pack->set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace).finalize();
  return pack;
}

}  // namespace software_gpu::testing
