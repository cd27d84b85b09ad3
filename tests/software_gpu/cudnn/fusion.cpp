// SPDX-License-Identifier: Apache-2.0
// The support surfaces of the generic runtime fusion engines, from "Graphs", cuDNN 9: one convolution with pointwise
// operations on its first input (g1) and its output (g2), a reduction at the end. Where the manuals of 9.x differ, the
// strictest holds: inputs of the convolution aligned to 16 bytes per group, everything else to 4.
#include <algorithm>
#include <set>

#include "tests/software_gpu/cudnn/engines.hpp"

namespace software_gpu::cudnn {
namespace {

bool is_aligned(const Tensor& tensor, std::int64_t groups, std::int64_t bytes) {
  if (tensor.volume() == 1) return true;
  const std::int64_t row = tensor.dims[1] / groups * static_cast<std::int64_t>(bytes_of(tensor.type));
  return row % bytes == 0 && (tensor.is_virtual || tensor.alignment % bytes == 0);
}

/// Whether `dims` is one of the shapes that a tensor beside one of shape `full` may have.
bool may_stand_beside(const Four& dims, const Four& full, bool filter) {
  const std::vector<Four> shapes = filter ? std::vector<Four>{{1, full[1], full[2], full[3]}, {full[0], 1, 1, 1}}
                                          : std::vector<Four>{{full[0], 1, full[2], full[3]}, {1, full[1], 1, 1}};
  return dims == full || dims == Four{1, 1, 1, 1} || std::find(shapes.begin(), shapes.end(), dims) != shapes.end();
}

bool pointwise_fits(const Node& node, const Four& full, bool filter) {
  if (node.alpha != 1 || node.beta != 1) return false;
  if (node.inputs[0].dims != full || node.output.dims != full) return false;  // what is broadcast cannot come first
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const Tensor& input) { return may_stand_beside(input.dims, full, filter); });
}

bool reduction_fits(const Node& node, const Four& full, bool filter) {
  return node.inputs[0].dims == full && node.output.type == Element::fp32 && node.output.dims != full &&
         may_stand_beside(node.output.dims, full, filter);
}

bool tensors_fit(const Node& node, std::int64_t bytes) {
  std::vector<Tensor> tensors = node.inputs;
  tensors.push_back(node.output);
  return std::all_of(tensors.begin(), tensors.end(),
                     [&](const Tensor& tensor) { return tensor.channels_last() && is_aligned(tensor, 1, bytes); });
}

/// Operations after the convolution, or a graph that has none: all see tensors of one shape.
bool epilogue_fits(const std::vector<Node>& nodes, std::size_t first, const Four& full, bool filter) {
  std::set<std::int64_t> reduced;
  for (std::size_t i = first; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    for (const Tensor& input : node.inputs) {
      if (reduced.contains(input.uid)) return false;  // a reduction can only be the last
    }
    if (node.kind == Kind::reduction) reduced.insert(node.output.uid);
    const bool fits =
        node.kind == Kind::reduction ? reduction_fits(node, full, filter) : pointwise_fits(node, full, filter);
    if (!fits || !tensors_fit(node, 4)) return false;
  }
  return reduced.size() <= 1;
}

bool mainloop_fits(const Graph& graph) {
  const Node& main = graph.main();
  for (int i = 0; i < graph.convolution; ++i) {
    const Node& node = graph.nodes[static_cast<std::size_t>(i)];
    if (node.kind != Kind::pointwise || !node.output.is_virtual) return false;
    if (!pointwise_fits(node, main.inputs[0].dims, false) || !tensors_fit(node, 16)) return false;
  }
  return true;
}

bool convolution_fits(const Graph& graph, int compute_capability) {
  const Node& main = graph.main();
  const bool alone = graph.convolution == 0;
  const bool epilogue = static_cast<std::size_t>(graph.convolution) + 1 < graph.nodes.size();
  const std::int64_t groups = main.groups();
  const bool strided = main.convolution.vertical.stride > 1 || main.convolution.horizontal.stride > 1;
  switch (main.kind) {
    case Kind::forward:
      if ((groups > 1 || !alone) && compute_capability < 8) return false;
      break;
    case Kind::backward_data:
      if ((groups > 1 || !alone) && (compute_capability < 9 || strided)) return false;
      if (groups > 1 && epilogue) return false;
      break;
    default:
      if (!alone || (groups > 1 && compute_capability < 9)) return false;
  }
  if (main.inputs[0].type != main.inputs[1].type) return false;
  for (const Tensor& input : main.inputs) {
    // a filter [K, C/groups, R, S] holds the channels of one group already
    const bool filter = main.kind != Kind::backward_filter && &input == &main.inputs[1];
    if (!input.channels_last() || !is_aligned(input, filter ? 1 : groups, 16)) return false;
  }
  const bool output_is_filter = main.kind == Kind::backward_filter;
  return main.output.channels_last() && is_aligned(main.output, output_is_filter ? 1 : groups, 4);
}

}  // namespace

bool fusible(const Graph& graph, int compute_capability) {
  if (graph.convolution == -2) return false;
  if (graph.convolution == -1) return epilogue_fits(graph.nodes, 0, graph.nodes.front().inputs[0].dims, false);
  const Node& main = graph.main();
  if (main.beta != 0 && !graph.single()) return false;
  const auto after = static_cast<std::size_t>(graph.convolution) + 1;
  const bool reduces = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                   [](const Node& node) { return node.kind == Kind::reduction; });
  if (reduces && main.groups() > 1) return false;
  return convolution_fits(graph, compute_capability) && mainloop_fits(graph) &&
         epilogue_fits(graph.nodes, after, main.output.dims, main.kind == Kind::backward_filter);
}

}  // namespace software_gpu::cudnn
