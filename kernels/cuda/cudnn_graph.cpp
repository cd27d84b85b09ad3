// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cudnn_graph.hpp"

#include "kernels/cuda/limits.hpp"

namespace mpdist::kernels::cuda::cudnn {
namespace {

using Extents = std::vector<std::int64_t>;

cudnnDataType_t data_type(DType type) {
  return type == DType::fp16 ? CUDNN_DATA_HALF : type == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/// Extents [first, channels, height, width] of an array that is stored as [first, height, width, channels].
Descriptor tensor(Uid uid, cudnnDataType_t type, const Extents& extents, bool is_virtual = false) {
  const std::int64_t channels = extents[1], height = extents[2], width = extents[3];
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{uid});
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, extents);
  tensor.set(CUDNN_ATTR_TENSOR_STRIDES, Extents{height * width * channels, 1, width * channels, channels});
  tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{kLibraryAlignment});
  tensor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  tensor.finalize();
  return tensor;
}

Descriptor convolution(const ConvolutionShape& s) {
  Descriptor convolution(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  convolution.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Extents{1, 1});
  convolution.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Extents{s.stride, s.stride});
  convolution.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Extents{s.padding, s.padding});
  convolution.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Extents{s.padding, s.padding});
  convolution.finalize();
  return convolution;
}

/// The attributes of a convolution operation, by pass.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t convolution, x, weight, y, alpha, beta;
};

const Names& names_of(ConvolutionPass pass) {
  static const Names forward{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  static const Names data{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  static const Names weights{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  return pass == ConvolutionPass::forward ? forward : pass == ConvolutionPass::backward_data ? data : weights;
}

Descriptor pointwise(cudnnPointwiseMode_t mode) {
  Descriptor pointwise(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  pointwise.set(CUDNN_ATTR_POINTWISE_MODE, mode);
  pointwise.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  pointwise.finalize();
  return pointwise;
}

/// Builds the graph, a tensor at a time; what comes later refers to what came before.
class Builder {
 public:
  explicit Builder(const ConvolutionShape& shape) : s_(shape), type_(data_type(shape.operands)) {
    parts_.reserve(16);  // operations point at their tensors
    add_convolution(names_of(s_.pass));
    if (s_.bias) add_bias();
    if (s_.relu) add_relu();
  }

  std::optional<OperationGraph> finish(cudnnHandle_t handle) {
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
    if (!graph.finalize_if_supported()) return std::nullopt;
    return OperationGraph{std::move(parts_), std::move(graph)};
  }

 private:
  const Descriptor& keep(Descriptor part) { return parts_.emplace_back(std::move(part)); }

  Extents y_extents() const {
    const auto extent = [&](std::int64_t input, std::int64_t kernel) {
      return (input + 2 * s_.padding - kernel) / s_.stride + 1;
    };
    return {s_.images, s_.out, extent(s_.height, s_.kernel_height), extent(s_.width, s_.kernel_width)};
  }

  /// The tensor that an operation of the forward graph writes: y if it is the last one, else one that stays inside.
  const Descriptor& forward_result(Uid inside, bool last) {
    return keep(last ? tensor(kY, data_type(s_.result), y_extents())
                     : tensor(inside, CUDNN_DATA_FLOAT, y_extents(), true));
  }

  void add_convolution(const Names& names) {
    const auto type_of = [&](ConvolutionPass writer) { return s_.pass == writer ? data_type(s_.result) : type_; };
    const Descriptor& how = keep(convolution(s_));
    const Descriptor& x =
        keep(tensor(kX, type_of(ConvolutionPass::backward_data), {s_.images, s_.in, s_.height, s_.width}));
    const Descriptor& weight = keep(tensor(kWeight, type_of(ConvolutionPass::backward_weights),
                                           {s_.out, s_.in / s_.groups, s_.kernel_height, s_.kernel_width}));
    result_ = s_.pass == ConvolutionPass::forward ? &forward_result(kConvolved, !s_.bias && !s_.relu)
                                                  : &keep(tensor(kY, type_, y_extents()));
    Descriptor operation(names.type);
    operation.set(names.convolution, how);
    operation.set(names.x, x);
    operation.set(names.weight, weight);
    operation.set(names.y, *result_);
    operation.set(names.alpha, 1.0F);
    operation.set(names.beta, s_.accumulate ? 1.0F : 0.0F);
    add_operation(std::move(operation));
  }

  void add_bias() {
    const Descriptor& bias = keep(tensor(kBias, type_, {1, s_.out, 1, 1}));
    add_pointwise(CUDNN_POINTWISE_ADD, &bias, forward_result(kBiased, !s_.relu));
  }
  void add_relu() { add_pointwise(CUDNN_POINTWISE_RELU_FWD, nullptr, forward_result(kBiased, true)); }

  void add_pointwise(cudnnPointwiseMode_t mode, const Descriptor* second, const Descriptor& result) {
    Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, keep(pointwise(mode)));
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, *result_);
    if (second) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *second);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, result);
    result_ = &result;
    add_operation(std::move(operation));
  }

  void add_operation(Descriptor operation) {
    operation.finalize();
    operations_.push_back(&keep(std::move(operation)));
  }

  const ConvolutionShape& s_;
  cudnnDataType_t type_;  ///< of the operands
  std::vector<Descriptor> parts_;
  std::vector<const Descriptor*> operations_;
  const Descriptor* result_ = nullptr;  ///< of the last operation
};

}  // namespace

std::optional<OperationGraph> build_graph(cudnnHandle_t handle, const ConvolutionShape& shape) {
  return Builder(shape).finish(handle);
}

}  // namespace mpdist::kernels::cuda::cudnn
