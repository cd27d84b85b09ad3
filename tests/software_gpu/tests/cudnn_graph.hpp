// SPDX-License-Identifier: Apache-2.0
// Shorthand for descriptors of the backend API: from operation graphs to what executes them.
#pragma once
#include <map>

#include "tests/software_gpu/tests/cudnn_descriptor.hpp"

namespace software_gpu::testing {

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
