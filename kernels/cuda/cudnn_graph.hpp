// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "kernels/cuda/cudnn.hpp"
#include "kernels/cuda/cudnn_descriptor.hpp"

namespace mpdist::kernels::cuda::cudnn {

/// Names of the tensors of a convolution's graph.
enum Uid : std::int64_t { kX = 1, kWeight, kY, kBias, kConvolved, kBiased };

/// A finalized operation graph with all that it refers to.
struct OperationGraph {
  std::vector<Descriptor> parts;
  Descriptor graph;
};

/// Empty where the library refuses the graph as a whole.
std::optional<OperationGraph> build_graph(cudnnHandle_t handle, const ConvolutionShape& shape);

}  // namespace mpdist::kernels::cuda::cudnn
