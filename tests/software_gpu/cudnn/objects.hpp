// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cudnn_graph.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/software_gpu/numerics/element.hpp"

namespace software_gpu::cudnn {

// What finalised descriptors mean. Tensors have four dimensions in cuDNN's order: images N, C, H, W; filters K, C, R,
// S; responses N, K, P, Q. Strides say how they lie in memory.

using Four = std::array<std::int64_t, 4>;

struct Tensor {
  std::int64_t uid = 0;
  Element type = Element::fp32;
  std::int64_t alignment = 0;  ///< bytes
  Four dims{}, strides{};
  bool is_virtual = false;

  std::int64_t volume() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
  /// Elements from the first to the last, both included.
  std::int64_t extent() const;
  /// Fully packed NHWC; strides of dimensions of size 1 do not matter.
  bool channels_last() const;
  bool operator==(const Tensor&) const = default;
};

/// One spatial axis of a convolution.
struct Axis {
  std::int64_t stride = 1, dilation = 1, before = 0, after = 0;  ///< before, after: zero padding
  std::int64_t response(std::int64_t image, std::int64_t filter) const {
    return (image + before + after - dilation * (filter - 1) - 1) / stride + 1;
  }
};

struct Convolution {
  Axis vertical, horizontal;
};

struct Pointwise {
  cudnnPointwiseMode_t mode = CUDNN_POINTWISE_IDENTITY;
  double lower_clip = 0, upper_clip = 0, lower_slope = 0;
  bool has_upper_clip = false;
};

struct Reduction {};  ///< only CUDNN_REDUCE_TENSOR_ADD

enum class Kind { forward, backward_data, backward_filter, pointwise, reduction };

/// One operation. Inputs: forward x, w; backward data dy, w; backward filter dy, x; pointwise x or x, b or (RELU_BWD)
/// dy, x; reduction x. `output` of a convolution is alpha * result + beta * what was there.
struct Node {
  Kind kind = Kind::pointwise;
  std::vector<Tensor> inputs;
  Tensor output;
  Convolution convolution;
  Pointwise pointwise;
  double alpha = 1, beta = 0;  ///< of a pointwise operation: alpha1, alpha2
  bool is_convolution() const { return kind <= Kind::backward_filter; }
  const Tensor& image() const;
  const Tensor& filter() const;
  const Tensor& response() const;
  std::int64_t groups() const { return image().dims[1] / filter().dims[1]; }
};

struct Graph {
  std::vector<Node> nodes;    ///< producers before consumers
  std::vector<Tensor> bound;  ///< those that are not virtual: the variant pack must bind them
  int convolution = -1;       ///< index of the only convolution; -1: none, -2: several
  bool single() const { return nodes.size() == 1; }
  const Node& main() const { return nodes[static_cast<std::size_t>(convolution)]; }
};

struct Engine {
  std::shared_ptr<const Graph> graph;
  std::int64_t index = 0;
};
struct EngineConfig {
  Engine engine;
};
struct Heuristics {};  ///< its results are descriptors
struct Plan {
  Engine engine;
  std::int64_t workspace = 0;  ///< bytes
};
struct VariantPack {
  std::map<std::int64_t, void*> pointers;  ///< by tensor uid
  void* workspace = nullptr;
};

}  // namespace software_gpu::cudnn
