// SPDX-License-Identifier: Apache-2.0
// Operation descriptors: their parts must be of the right kind and fit together.
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/cudnn/descriptor.hpp"

namespace software_gpu::cudnn {
namespace {

std::string text(const Four& dims) {
  std::string joined;
  for (const std::int64_t dim : dims) joined += (joined.empty() ? "[" : ", ") + std::to_string(dim);
  return joined + "]";
}

/// The part that an attribute names, which must be of type T.
template <class T>
cudnnStatus_t take(const Descriptor& descriptor, cudnnBackendAttributeName_t name, T& object) {
  const T* found = descriptor.part<T>(name);
  if (found == nullptr) {
    return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, std::string(descriptor.schema->text) + ": attribute " +
                                                            std::to_string(name) + " is a descriptor of another kind");
  }
  object = *found;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t mismatch(const std::string& why) {
  return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, why);
}

/// Channels and groups; response = 1 + (image + padding - ((filter - 1) * dilation + 1)) / stride on both axes.
cudnnStatus_t check_convolution(const Node& node) {
  const Four &image = node.image().dims, &filter = node.filter().dims, &response = node.response().dims;
  if (image[1] % filter[1] != 0) {
    return mismatch("image " + text(image) + " has no multiple of the channels of filter " + text(filter));
  }
  if (filter[0] % node.groups() != 0) {
    return mismatch("filter " + text(filter) + " has no multiple of " + std::to_string(node.groups()) + " groups");
  }
  const Four follows = {image[0], filter[0], node.convolution.vertical.response(image[2], filter[2]),
                        node.convolution.horizontal.response(image[3], filter[3])};
  if (response != follows) return mismatch("response " + text(response) + " should be " + text(follows));
  return CUDNN_STATUS_SUCCESS;
}

struct Names {
  cudnnBackendAttributeName_t alpha, beta, convolution, first, second, output;
};

cudnnStatus_t build_node(Descriptor& descriptor, Kind kind, const Names& names) {
  Node node;
  node.kind = kind;
  node.alpha = descriptor.number(names.alpha, 1);
  node.beta = descriptor.number(names.beta, 0);
  node.inputs.resize(2);
  cudnnStatus_t status = take(descriptor, names.convolution, node.convolution);
  if (status == CUDNN_STATUS_SUCCESS) status = take(descriptor, names.first, node.inputs[0]);
  if (status == CUDNN_STATUS_SUCCESS) status = take(descriptor, names.second, node.inputs[1]);
  if (status == CUDNN_STATUS_SUCCESS) status = take(descriptor, names.output, node.output);
  if (status == CUDNN_STATUS_SUCCESS) status = check_convolution(node);
  descriptor.object = std::move(node);
  return status;
}

bool broadcasts(const Four& from, const Four& to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != to[i] && from[i] != 1) return false;
  }
  return true;
}

bool has_two_inputs(cudnnPointwiseMode_t mode) {
  return mode != CUDNN_POINTWISE_IDENTITY && mode != CUDNN_POINTWISE_RELU_FWD;
}

}  // namespace

cudnnStatus_t build_forward(Descriptor& descriptor) {
  return build_node(descriptor, Kind::forward,
                    {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y});
}

cudnnStatus_t build_backward_data(Descriptor& descriptor) {
  return build_node(descriptor, Kind::backward_data,
                    {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX});
}

cudnnStatus_t build_backward_filter(Descriptor& descriptor) {
  return build_node(
      descriptor, Kind::backward_filter,
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW});
}

cudnnStatus_t build_pointwise_operation(Descriptor& descriptor) {
  Node node;
  node.alpha = descriptor.number(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1);
  node.beta = descriptor.number(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1);
  cudnnStatus_t status = take(descriptor, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, node.pointwise);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  const bool backward = node.pointwise.mode == CUDNN_POINTWISE_RELU_BWD;
  std::vector<cudnnBackendAttributeName_t> names;
  if (backward) names.push_back(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC);
  names.push_back(CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
  if (!backward && has_two_inputs(node.pointwise.mode)) names.push_back(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  names.push_back(backward ? CUDNN_ATTR_OPERATION_POINTWISE_DXDESC : CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  std::vector<Tensor> tensors(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!descriptor.has(names[i])) {
      return fail(CUDNN_STATUS_BAD_PARAM, "pointwise operation: attribute " + std::to_string(names[i]) + " is not set");
    }
    status = take(descriptor, names[i], tensors[i]);
    if (status != CUDNN_STATUS_SUCCESS) return status;
  }
  node.output = tensors.back();
  tensors.pop_back();
  node.inputs = std::move(tensors);
  for (const Tensor& input : node.inputs) {
    if (!broadcasts(input.dims, node.output.dims)) {
      return mismatch("pointwise input " + text(input.dims) + " does not fit output " + text(node.output.dims));
    }
  }
  descriptor.object = std::move(node);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_reduction_operation(Descriptor& descriptor) {
  Node node;
  node.kind = Kind::reduction;
  node.inputs.resize(1);
  Reduction reduction;
  cudnnStatus_t status = take(descriptor, CUDNN_ATTR_OPERATION_REDUCTION_DESC, reduction);
  if (status == CUDNN_STATUS_SUCCESS) status = take(descriptor, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, node.inputs[0]);
  if (status == CUDNN_STATUS_SUCCESS) status = take(descriptor, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, node.output);
  if (status == CUDNN_STATUS_SUCCESS && !broadcasts(node.output.dims, node.inputs[0].dims)) {
    status = mismatch("reduction of " + text(node.inputs[0].dims) + " to " + text(node.output.dims));
  }
  descriptor.object = std::move(node);
  return status;
}

}  // namespace software_gpu::cudnn
