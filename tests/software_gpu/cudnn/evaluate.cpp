// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/cudnn/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/cudnn/convolve.hpp"

namespace software_gpu::cudnn {
namespace {

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Calls visit(channels-last index, n, c, h, w) for all elements of a tensor, in that index's order.
template <class Visit>
void for_each_element(const Four& dims, Visit visit) {
  std::int64_t element = 0;
  for (std::int64_t n = 0; n < dims[0]; ++n) {
    for (std::int64_t h = 0; h < dims[2]; ++h) {
      for (std::int64_t w = 0; w < dims[3]; ++w) {
        for (std::int64_t c = 0; c < dims[1]; ++c) visit(index(element++), Four{n, c, h, w});
      }
    }
  }
}

std::int64_t offset_of(const Four& at, const Four& strides) {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < at.size(); ++i) offset += at[i] * strides[i];
  return offset;
}

/// Strides that walk a packed channels-last array of these dimensions, standing still where it is broadcast.
Four broadcast_strides(const Four& dims) {
  Four strides = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) strides[i] = 0;
  }
  return strides;
}

float apply(const Pointwise& pointwise, bool keeps_nan, float a, float b) {
  switch (pointwise.mode) {
    case CUDNN_POINTWISE_ADD:
      return a + b;
    case CUDNN_POINTWISE_SUB:
      return a - b;
    case CUDNN_POINTWISE_MUL:
      return a * b;
    case CUDNN_POINTWISE_MAX:
      return a > b ? a : b;
    case CUDNN_POINTWISE_MIN:
      return a < b ? a : b;
    case CUDNN_POINTWISE_RELU_FWD: {
      if (keeps_nan && std::isnan(a)) return a;
      const auto lower = static_cast<float>(pointwise.lower_clip), slope = static_cast<float>(pointwise.lower_slope);
      const float clipped = a > lower ? a : slope == 0 ? lower : lower + slope * (a - lower);
      return pointwise.has_upper_clip ? std::min(clipped, static_cast<float>(pointwise.upper_clip)) : clipped;
    }
    case CUDNN_POINTWISE_RELU_BWD: {  // a is dy, b is x
      if (pointwise.has_upper_clip && b >= static_cast<float>(pointwise.upper_clip)) return 0;
      return b > static_cast<float>(pointwise.lower_clip) ? a : a * static_cast<float>(pointwise.lower_slope);
    }
    default:
      return a;
  }
}

class Evaluation {
 public:
  Evaluation(Operation& operation, const Plan& plan, const VariantPack& pack)
      : operation_(operation), graph_(*plan.engine.graph), pack_(pack), plan_(plan) {}

  void run() {
    scribble();
    const Arithmetic arithmetic = arithmetic_of(plan_.engine.index, graph_);
    for (const Node& node : graph_.nodes) {
      Floats result = node.is_convolution()          ? convolution(node, arithmetic)
                      : node.kind == Kind::pointwise ? pointwise(node, arithmetic)
                                                     : reduction(node);
      for (float& value : result) value = rounded(node.output.type, value);
      values_[node.output.uid] = std::move(result);
    }
    for (const Node& node : graph_.nodes) {
      if (!node.output.is_virtual) store(node.output, values_.at(node.output.uid));
    }
  }

 private:
  /// The workspace is scratch of the plan: a call may use all of it.
  void scribble() {
    if (plan_.workspace == 0) return;
    const Allocation* allocation = find_allocation(pack_.workspace);
    if (allocation != nullptr && allocation->live) {
      const std::size_t begin = reinterpret_cast<std::uintptr_t>(pack_.workspace) - allocation->base;
      if (allocation->size - begin < index(plan_.workspace)) {
        report("workspace-too-small", operation_.name() + " needs " + std::to_string(plan_.workspace) + " bytes, " +
                                          allocation->describe() + " has " + std::to_string(allocation->size - begin));
        return;
      }
    }
    std::memset(operation_.write(pack_.workspace, index(plan_.workspace)), 0xFF, index(plan_.workspace));
  }

  const Floats& value(const Tensor& tensor) {
    const auto found = values_.find(tensor.uid);
    return found != values_.end() ? found->second : values_.emplace(tensor.uid, load(tensor)).first->second;
  }

  Floats convolution(const Node& node, const Arithmetic& arithmetic) {
    Floats result = convolve(node, value(node.inputs[0]), value(node.inputs[1]), arithmetic);
    const auto alpha = static_cast<float>(node.alpha), beta = static_cast<float>(node.beta);
    if (alpha != 1) {
      for (float& element : result) element *= alpha;
    }
    if (beta == 0) return result;
    const Floats before = load(node.output);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] += beta * before[i];
    return result;
  }

  Floats pointwise(const Node& node, const Arithmetic& arithmetic) {
    const Floats& a = value(node.inputs[0]);
    const Floats& b = value(node.inputs.back());  // of one input: ignored
    const Four strides_a = broadcast_strides(node.inputs[0].dims),
               strides_b = broadcast_strides(node.inputs.back().dims);
    Floats result(index(node.output.volume()));
    for_each_element(node.output.dims, [&](std::size_t element, const Four& at) {
      result[element] = apply(node.pointwise, arithmetic.keeps_nan, a[index(offset_of(at, strides_a))],
                              b[index(offset_of(at, strides_b))]);
    });
    return result;
  }

  Floats reduction(const Node& node) {
    const Floats& x = value(node.inputs[0]);
    const Four strides = broadcast_strides(node.output.dims);
    Floats result(index(node.output.volume()));
    for_each_element(node.inputs[0].dims,
                     [&](std::size_t element, const Four& at) { result[index(offset_of(at, strides))] += x[element]; });
    return result;
  }

  const std::byte* address(const Tensor& tensor, std::int64_t element) const {
    return static_cast<const std::byte*>(pack_.pointers.at(tensor.uid)) +
           element * static_cast<std::int64_t>(bytes_of(tensor.type));
  }

  Floats load(const Tensor& tensor) {
    const std::size_t width = bytes_of(tensor.type), volume = index(tensor.volume());
    Floats result(volume);
    if (tensor.extent() != tensor.volume()) {  // gaps, which are not to be read
      for_each_element(tensor.dims, [&](std::size_t element, const Four& at) {
        widen(tensor.type, operation_.read(address(tensor, offset_of(at, tensor.strides)), width), 1, &result[element]);
      });
      return result;
    }
    Floats flat(volume);
    widen(tensor.type, operation_.read(address(tensor, 0), volume * width), volume, flat.data());
    if (tensor.channels_last()) return flat;
    for_each_element(tensor.dims, [&](std::size_t element, const Four& at) {
      result[element] = flat[index(offset_of(at, tensor.strides))];
    });
    return result;
  }

  void store(const Tensor& tensor, const Floats& result) {
    const std::size_t width = bytes_of(tensor.type);
    const auto writable = [&](std::int64_t element) { return const_cast<std::byte*>(address(tensor, element)); };
    if (tensor.extent() != tensor.volume()) {
      for_each_element(tensor.dims, [&](std::size_t element, const Four& at) {
        narrow(tensor.type, &result[element], 1, operation_.write(writable(offset_of(at, tensor.strides)), width));
      });
      return;
    }
    std::byte* const bytes = operation_.write(writable(0), result.size() * width);
    if (tensor.channels_last()) return narrow(tensor.type, result.data(), result.size(), bytes);
    for_each_element(tensor.dims, [&](std::size_t element, const Four& at) {
      narrow(tensor.type, &result[element], 1, bytes + index(offset_of(at, tensor.strides)) * width);
    });
  }

  Operation& operation_;
  const Graph& graph_;
  const VariantPack& pack_;
  const Plan& plan_;
  std::map<std::int64_t, Floats> values_;
};

}  // namespace

void evaluate(Operation& operation, const Plan& plan, const VariantPack& pack) {
  Evaluation(operation, plan, pack).run();
}

}  // namespace software_gpu::cudnn
