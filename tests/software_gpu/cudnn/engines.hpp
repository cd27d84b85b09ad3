// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "tests/software_gpu/cudnn/objects.hpp"

namespace software_gpu::cudnn {

enum class Operands {
  exact,
  tf32,
  fp16
};  ///< what operands of a convolution are rounded to before they are multiplied

/// How an engine computes.
struct Arithmetic {
  Operands operands = Operands::exact;
  bool shuffled = false;             ///< the order of sums varies from run to run
  bool rounds_partial_sums = false;  ///< to the type of the operands
  bool keeps_nan = false;            ///< ReLU of NaN is NaN, else 0
};

std::int64_t engine_count();
/// Whether the engine can run the graph.
bool supports(std::int64_t engine, const Graph& graph);
std::vector<std::int64_t> numerical_notes(std::int64_t engine, const Graph& graph);
std::vector<std::int64_t> behavior_notes(std::int64_t engine);
std::int64_t workspace_of(std::int64_t engine, const Graph& graph);
Arithmetic arithmetic_of(std::int64_t engine, const Graph& graph);
/// The engines that a heuristic offers, in its order: what a program must filter out by notes and workspace comes
/// first.
std::vector<std::int64_t> offered(cudnnBackendHeurMode_t mode, const Graph& graph);

/// Whether the generic runtime fusion engine of the manual covers the graph on a device of this compute capability
/// (major number), see fusion.cpp.
bool fusible(const Graph& graph, int compute_capability);

}  // namespace software_gpu::cudnn
