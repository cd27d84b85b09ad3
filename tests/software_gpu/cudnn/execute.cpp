// SPDX-License-Identifier: Apache-2.0
// cudnnBackendExecute: what the call itself can check.
#include <mutex>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cudnn/evaluate.hpp"
#include "tests/software_gpu/cudnn/execute.hpp"

namespace software_gpu::cudnn {
namespace {

cudnnStatus_t bad(cudnnStatus_t status, const std::string& why) {
  return fail(status, "cudnnBackendExecute: " + why);
}

cudnnStatus_t check_tensor(const Tensor& tensor, const VariantPack& pack) {
  const std::string which = "tensor " + std::to_string(tensor.uid);
  const auto bound = pack.pointers.find(tensor.uid);
  if (bound == pack.pointers.end()) return bad(CUDNN_STATUS_BAD_PARAM, which + " has no pointer in the variant pack");
  if (bound->second == nullptr) return bad(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, which + " is null");
  if (reinterpret_cast<std::uintptr_t>(bound->second) % static_cast<std::uintptr_t>(tensor.alignment) != 0) {
    return bad(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
               which + " is not aligned to the " + std::to_string(tensor.alignment) + " bytes of its descriptor");
  }
  return CUDNN_STATUS_SUCCESS;
}

bool overlap(const Tensor& a, const Tensor& b, const VariantPack& pack) {
  const auto begin = [&](const Tensor& t) { return reinterpret_cast<std::uintptr_t>(pack.pointers.at(t.uid)); };
  const auto end = [&](const Tensor& t) { return begin(t) + static_cast<std::size_t>(t.extent()) * bytes_of(t.type); };
  return begin(a) < end(b) && begin(b) < end(a);
}

/// A convolution reads its operands many times: its graph may not write over them.
cudnnStatus_t check_overlap(const Graph& graph, const VariantPack& pack) {
  if (graph.convolution < 0) return CUDNN_STATUS_SUCCESS;
  for (const Tensor& input : graph.main().inputs) {
    for (const Node& node : graph.nodes) {
      if (input.is_virtual || node.output.is_virtual || input.uid == node.output.uid) continue;
      if (overlap(input, node.output, pack)) {
        return bad(CUDNN_STATUS_BAD_PARAM, "output tensor " + std::to_string(node.output.uid) + " lies over tensor " +
                                               std::to_string(input.uid) + ", an operand of the convolution");
      }
    }
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

cudnnStatus_t check_call(const Plan& plan, const VariantPack& pack) {
  const Graph& graph = *plan.engine.graph;
  for (const Tensor& tensor : graph.bound) {
    const cudnnStatus_t status = check_tensor(tensor, pack);
    if (status != CUDNN_STATUS_SUCCESS) return status;
  }
  if (pack.pointers.size() != graph.bound.size()) {
    return bad(CUDNN_STATUS_BAD_PARAM, "the variant pack binds a tensor that is virtual or not in the graph");
  }
  if (plan.workspace > 0 && pack.workspace == nullptr) {
    return bad(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
               "a workspace of " + std::to_string(plan.workspace) + " bytes is needed");
  }
  return check_overlap(graph, pack);
}

void launch(cudaStream_t stream, const Plan& plan, const VariantPack& pack) {
  submit(stream, "cudnnBackendExecute", [plan, pack](Operation& operation) { evaluate(operation, plan, pack); });
}

}  // namespace software_gpu::cudnn
