// SPDX-License-Identifier: Apache-2.0
// Operation graphs: tensors connect operations by their unique ids.
#include <algorithm>

#include "tests/software_gpu/cudnn/descriptor.hpp"
#include "tests/software_gpu/cudnn/engines.hpp"

namespace software_gpu::cudnn {
namespace {

cudnnStatus_t bad(const std::string& why) {
  return fail(CUDNN_STATUS_BAD_PARAM, "operation graph: " + why);
}

class GraphBuilder {
 public:
  explicit GraphBuilder(std::vector<Node> nodes) : nodes_(std::move(nodes)) {}

  cudnnStatus_t build(Graph& graph) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Tensor& output = nodes_[i].output;
      if (!remember(output)) return clash(output);
      if (!producers_.emplace(output.uid, i).second) {
        return bad("tensor " + std::to_string(output.uid) + " is the output of two operations");
      }
    }
    for (const Node& node : nodes_) {
      for (const Tensor& input : node.inputs) {
        if (!remember(input)) return clash(input);
        if (input.is_virtual && !producers_.contains(input.uid)) {
          return bad("virtual tensor " + std::to_string(input.uid) + " has no producer");
        }
      }
    }
    if (!sort(graph.nodes)) return bad("the operations form a cycle");
    for (const auto& [uid, tensor] : tensors_) {
      if (!tensor.is_virtual) graph.bound.push_back(tensor);
    }
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].is_convolution()) graph.convolution = graph.convolution == -1 ? static_cast<int>(i) : -2;
    }
    return CUDNN_STATUS_SUCCESS;
  }

 private:
  bool remember(const Tensor& tensor) { return tensors_.emplace(tensor.uid, tensor).first->second == tensor; }

  static cudnnStatus_t clash(const Tensor& tensor) {
    return bad("two different tensors have the unique id " + std::to_string(tensor.uid));
  }

  bool sort(std::vector<Node>& sorted) {
    std::vector<bool> placed(nodes_.size());
    const auto ready = [&](const Node& node) {
      return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Tensor& input) {
        const auto producer = producers_.find(input.uid);
        return producer == producers_.end() || placed[producer->second];
      });
    };
    while (sorted.size() < nodes_.size()) {
      const std::size_t before = sorted.size();
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (placed[i] || !ready(nodes_[i])) continue;
        placed[i] = true;
        sorted.push_back(nodes_[i]);
      }
      if (sorted.size() == before) return false;
    }
    return true;
  }

  std::vector<Node> nodes_;
  std::map<std::int64_t, Tensor> tensors_;
  std::map<std::int64_t, std::size_t> producers_;
};

}  // namespace

cudnnStatus_t build_graph(Descriptor& descriptor) {
  const void* handle = descriptor.values.at(CUDNN_ATTR_OPERATIONGRAPH_HANDLE).pointers[0];
  if (!is_live(static_cast<cudnnHandle_t>(const_cast<void*>(handle)))) return bad("no valid handle");
  std::vector<Node> nodes;
  for (const DescriptorPtr& part : descriptor.values.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).descriptors) {
    const Node* node = std::get_if<Node>(&part->object);
    if (node == nullptr) return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "operation graph: a part is no operation");
    nodes.push_back(*node);
  }
  auto graph = std::make_shared<Graph>();
  const cudnnStatus_t status = GraphBuilder(std::move(nodes)).build(*graph);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  descriptor.object = std::shared_ptr<const Graph>(std::move(graph));
  descriptor.values[CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT].integers = {engine_count()};
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace software_gpu::cudnn
