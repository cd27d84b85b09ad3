// SPDX-License-Identifier: Apache-2.0
// The engines: what each covers, what its notes say, and how it computes. Each note has an engine whose results show
// it.
#include "tests/software_gpu/cudnn/engines.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>

namespace software_gpu::cudnn {
namespace {

enum Index : std::int64_t {
  kCudaCores,         // single convolution, any layout, exact FP32 sums in order
  kTensorCores,       // single convolution, channels last; FP32 operands as TF32
  kNonDeterministic,  // as kTensorCores, the order of sums varies
  kFft,               // workspace beyond any limit
  kReducedSums,       // 16-bit operands, partial sums rounded to their type
  kDownConverting,    // FP32 operands rounded to FP16
  kFusion,            // the generic runtime fusion engine
  kFusionSplit,       // the same for filter gradients, the order of sums varies
  kFusionStrict,      // the same where there is a ReLU, which keeps NaN
  kEngineCount
};

constexpr std::int64_t kFftWorkspace = std::int64_t{16} << 30;
constexpr std::int64_t kSmallWorkspace = 4096;

int compute_capability() {
  int device = 0, major = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return 0;
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess) return 0;
  return major;
}

bool is_precompiled(std::int64_t engine) {
  return engine <= kDownConverting;
}

/// The engines without code generation know one convolution of tensors of one type.
bool single_convolution(const Graph& graph) {
  if (!graph.single() || graph.convolution != 0) return false;
  const Node& main = graph.main();
  return main.inputs[0].type == main.inputs[1].type && main.inputs[0].type == main.output.type;
}

bool channels_last(const Node& node) {
  return node.inputs[0].channels_last() && node.inputs[1].channels_last() && node.output.channels_last();
}

bool is_fp32(const Graph& graph) {
  return graph.nodes.front().inputs[0].type == Element::fp32;
}

bool has_relu(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return node.kind == Kind::pointwise && node.pointwise.mode == CUDNN_POINTWISE_RELU_FWD;
  });
}

bool transformable(const Node& node) {
  const Axis &v = node.convolution.vertical, &h = node.convolution.horizontal;
  return v.stride == 1 && h.stride == 1 && v.dilation == 1 && h.dilation == 1 && node.filter().dims[2] > 1;
}

}  // namespace

std::int64_t engine_count() {
  return kEngineCount;
}

bool supports(std::int64_t engine, const Graph& graph) {
  if (is_precompiled(engine) && !single_convolution(graph)) return false;
  switch (engine) {
    case kCudaCores:
      return true;
    case kTensorCores:
    case kNonDeterministic:
      return channels_last(graph.main());
    case kFft:
      return transformable(graph.main());
    case kReducedSums:
      return channels_last(graph.main()) && !is_fp32(graph);
    case kDownConverting:
      return channels_last(graph.main()) && is_fp32(graph);
    case kFusion:
      return fusible(graph, compute_capability());
    case kFusionSplit:
      return graph.convolution >= 0 && graph.main().kind == Kind::backward_filter &&
             fusible(graph, compute_capability());
    case kFusionStrict:
      return has_relu(graph) && fusible(graph, compute_capability());
    default:
      return false;
  }
}

std::vector<std::int64_t> numerical_notes(std::int64_t engine, const Graph& graph) {
  switch (engine) {
    case kTensorCores:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
    case kNonDeterministic:
    case kFusionSplit:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    case kFft:
      return {CUDNN_NUMERICAL_NOTE_FFT};
    case kReducedSums:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION};
    case kDownConverting:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
    case kFusionStrict:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP};
    case kFusion:
      if (graph.convolution >= 0) return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
      return {};
    default:
      return {};
  }
}

std::vector<std::int64_t> behavior_notes(std::int64_t engine) {
  if (is_precompiled(engine)) return {};
  return {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION};
}

std::int64_t workspace_of(std::int64_t engine, const Graph& graph) {
  if (engine == kFft) return kFftWorkspace;
  if (engine == kCudaCores || graph.convolution < 0) return 0;
  const Node& main = graph.main();
  if (main.kind != Kind::backward_filter) return is_precompiled(engine) ? kSmallWorkspace : 0;
  return (main.output.volume() * static_cast<std::int64_t>(sizeof(float)) + 255) / 256 * 256;  // FP32 partial sums
}

Arithmetic arithmetic_of(std::int64_t engine, const Graph& graph) {
  Arithmetic arithmetic;
  const bool tensor_cores = engine != kCudaCores && engine != kFft && graph.convolution >= 0;
  if (tensor_cores && is_fp32(graph)) arithmetic.operands = engine == kDownConverting ? Operands::fp16 : Operands::tf32;
  arithmetic.shuffled = engine == kNonDeterministic || engine == kFusionSplit;
  arithmetic.rounds_partial_sums = engine == kReducedSums;
  arithmetic.keeps_nan = engine == kFusionStrict;
  return arithmetic;
}

std::vector<std::int64_t> offered(cudnnBackendHeurMode_t mode, const Graph& graph) {
  std::vector<std::int64_t> engines;
  if (mode == CUDNN_HEUR_MODE_FALLBACK) {
    engines = {kCudaCores, kFusion, kFusionStrict};
  } else {
    engines = {kNonDeterministic, kFusionSplit, kFft,          kReducedSums, kDownConverting,
               kTensorCores,      kFusion,      kFusionStrict, kCudaCores};
  }
  std::erase_if(engines, [&](std::int64_t engine) { return !supports(engine, graph); });
  return engines;
}

}  // namespace software_gpu::cudnn
