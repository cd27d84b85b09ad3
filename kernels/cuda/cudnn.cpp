// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cudnn.hpp"

#include <algorithm>
#include <map>

#include "kernels/cuda/cudnn_graph.hpp"
#include "kernels/cuda/limits.hpp"

namespace mpdist::kernels::cuda::cudnn {
namespace {

struct DestroyHandle {
  void operator()(cudnnContext* handle) const {
    const cudnnStatus_t status = cudnnDestroy(handle);
    if (status != CUDNN_STATUS_SUCCESS) log::warn("cuDNN: cudnnDestroy failed: {}", text_of(status));
  }
};
using Handle = std::unique_ptr<cudnnContext, DestroyHandle>;

Handle make_handle() {
  cudnnHandle_t made = nullptr;
  MPDIST_CUDNN(cudnnCreate, &made);
  return Handle(made);
}

/// What a thread owns: its plans, which end before the handle that they were made with.
struct ThreadState {
  Handle handle = make_handle();
  std::map<ConvolutionShape, std::unique_ptr<ConvolutionPlan>> plans;  ///< null: there is none
};

ThreadState& state() {
  thread_local ThreadState state;
  return state;
}

cudnnHandle_t handle() {
  return state().handle.get();
}

bool is_among(cudnnBackendNumericalNote_t note, const std::vector<cudnnBackendNumericalNote_t>& notes) {
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

/// The rules of cudnn.hpp, from what the engine says of itself.
bool may_be_taken(const Descriptor& config, const ConvolutionShape& shape) {
  const Descriptor engine = config.get_part(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  const auto notes =
      engine.get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  for (const auto refused : {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                             CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_FFT,
                             CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
                             CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13}) {
    if (is_among(refused, notes)) return false;
  }
  if (shape.operands == DType::fp32 && is_among(CUDNN_NUMERICAL_NOTE_TENSOR_CORE, notes)) return false;
  return !shape.relu || is_among(CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, notes);
}

/// What the heuristic proposes, best first.
std::vector<Descriptor> proposals(const OperationGraph& graph, cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (!heuristic.finalize_if_supported()) return {};
  return heuristic.get_parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

}  // namespace

struct ConvolutionParts {
  OperationGraph graph;
  Descriptor config;  ///< engine and its settings
  Descriptor plan;
  std::size_t workspace_bytes;
};

namespace {

/// The plan of a proposal; null where it cannot be made or wants too much workspace.
std::unique_ptr<ConvolutionParts> try_proposal(OperationGraph& graph, Descriptor& config) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle());
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  // A proposal may fail for many reasons (its kernel does not compile for this driver, say); the next one may not.
  if (cudnnBackendFinalize(plan.raw()) != CUDNN_STATUS_SUCCESS) return nullptr;
  const auto workspace = plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  if (workspace > static_cast<std::int64_t>(kLibraryWorkspaceBytes)) return nullptr;
  return std::unique_ptr<ConvolutionParts>(
      new ConvolutionParts{std::move(graph), std::move(config), std::move(plan), static_cast<std::size_t>(workspace)});
}

std::unique_ptr<ConvolutionPlan> make_plan(const ConvolutionShape& shape) {
  std::optional<OperationGraph> graph = build_graph(handle(), shape);
  if (!graph) return nullptr;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& config : proposals(*graph, mode)) {
      if (!may_be_taken(config, shape)) continue;
      if (auto parts = try_proposal(*graph, config)) return std::make_unique<ConvolutionPlan>(std::move(parts));
    }
  }
  return nullptr;
}

}  // namespace

ConvolutionPlan::ConvolutionPlan(std::unique_ptr<ConvolutionParts> parts) : parts_(std::move(parts)) {}
ConvolutionPlan::~ConvolutionPlan() = default;

std::size_t ConvolutionPlan::workspace_bytes() const {
  return parts_->workspace_bytes;
}

void ConvolutionPlan::run(const Stream& stream, const ConvolutionArrays& arrays) const {
  std::vector<std::int64_t> uids{kX, kWeight, kY};
  std::vector<void*> pointers{const_cast<void*>(arrays.x), const_cast<void*>(arrays.weight),
                              const_cast<void*>(arrays.y)};
  if (arrays.bias) {
    uids.push_back(kBias);
    pointers.push_back(const_cast<void*>(arrays.bias));
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, arrays.workspace);
  pack.finalize();
  MPDIST_CUDNN(cudnnSetStream, handle(), static_cast<cudaStream_t>(stream.handle()));
  MPDIST_CUDNN(cudnnBackendExecute, handle(), parts_->plan.raw(), pack.raw());
}

const ConvolutionPlan* find_plan(const ConvolutionShape& shape) {
  const auto [place, is_new] = state().plans.try_emplace(shape);
  if (is_new) place->second = make_plan(shape);
  return place->second.get();
}

}  // namespace mpdist::kernels::cuda::cudnn
