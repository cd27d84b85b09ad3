// SPDX-License-Identifier: Apache-2.0
// Descriptors without parts: tensors, and the parameters of convolutions, pointwise operations and reductions.
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/cudnn/descriptor.hpp"

namespace software_gpu::cudnn {
namespace {

Element element_of(std::int64_t type) {
  switch (type) {
    case CUDNN_DATA_HALF:
      return Element::fp16;
    case CUDNN_DATA_BFLOAT16:
      return Element::bf16;
    case CUDNN_DATA_FLOAT:
      return Element::fp32;
    default:
      unsupported("CUDNN_ATTR_TENSOR_DATA_TYPE " + std::to_string(type));
  }
}

void must_be(const char* what, std::int64_t value, std::int64_t only) {
  if (value != only) unsupported(std::string(what) + " " + std::to_string(value));
}

cudnnStatus_t two_of(const Descriptor& descriptor, cudnnBackendAttributeName_t name, std::int64_t least,
                     std::int64_t& vertical, std::int64_t& horizontal) {
  const std::vector<std::int64_t>& values = descriptor.values.at(name).integers;
  if (values.size() != 2) {
    return fail(CUDNN_STATUS_BAD_PARAM, "attribute " + std::to_string(name) + " of a convolution has " +
                                            std::to_string(values.size()) + " values for 2 spatial dimensions");
  }
  vertical = values[0];
  horizontal = values[1];
  if (vertical < least || horizontal < least) {
    return fail(CUDNN_STATUS_BAD_PARAM,
                "attribute " + std::to_string(name) + " of a convolution is below " + std::to_string(least));
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

cudnnStatus_t build_tensor(Descriptor& descriptor) {
  Tensor tensor;
  tensor.uid = descriptor.integer(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  tensor.type = element_of(descriptor.integer(CUDNN_ATTR_TENSOR_DATA_TYPE));
  tensor.alignment = descriptor.integer(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  tensor.is_virtual = descriptor.integer(CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0) != 0;
  must_be("CUDNN_ATTR_TENSOR_VECTOR_COUNT", descriptor.integer(CUDNN_ATTR_TENSOR_VECTOR_COUNT, 1), 1);
  must_be("CUDNN_ATTR_TENSOR_IS_BY_VALUE", descriptor.integer(CUDNN_ATTR_TENSOR_IS_BY_VALUE, 0), 0);
  must_be("CUDNN_ATTR_TENSOR_REORDERING_MODE", descriptor.integer(CUDNN_ATTR_TENSOR_REORDERING_MODE, 0),
          CUDNN_TENSOR_REORDERING_NONE);
  const std::string which = "tensor " + std::to_string(tensor.uid) + ": ";
  const std::vector<std::int64_t>& dims = descriptor.values.at(CUDNN_ATTR_TENSOR_DIMENSIONS).integers;
  const std::vector<std::int64_t>& strides = descriptor.values.at(CUDNN_ATTR_TENSOR_STRIDES).integers;
  if (dims.size() != strides.size()) {
    return fail(CUDNN_STATUS_BAD_PARAM, which + "not as many strides as dimensions");
  }
  if (dims.size() != 4) unsupported(which + std::to_string(dims.size()) + " dimensions, only 4 are known");
  for (std::size_t i = 0; i < 4; ++i) {
    if (dims[i] <= 0 || strides[i] <= 0) return fail(CUDNN_STATUS_BAD_PARAM, which + "a dimension or stride below 1");
    tensor.dims[i] = dims[i];
    tensor.strides[i] = strides[i];
  }
  const auto width = static_cast<std::int64_t>(bytes_of(tensor.type));
  if (tensor.alignment <= 0 || tensor.alignment % width != 0) {
    return fail(CUDNN_STATUS_BAD_PARAM, which + "an alignment of " + std::to_string(tensor.alignment) +
                                            " bytes is not a multiple of the element's " + std::to_string(width));
  }
  descriptor.object = tensor;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_convolution(Descriptor& descriptor) {
  must_be("CUDNN_ATTR_CONVOLUTION_COMP_TYPE", descriptor.integer(CUDNN_ATTR_CONVOLUTION_COMP_TYPE), CUDNN_DATA_FLOAT);
  must_be("CUDNN_ATTR_CONVOLUTION_CONV_MODE", descriptor.integer(CUDNN_ATTR_CONVOLUTION_CONV_MODE),
          CUDNN_CROSS_CORRELATION);
  must_be("CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS", descriptor.integer(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS), 2);
  Convolution convolution;
  Axis &v = convolution.vertical, &h = convolution.horizontal;
  cudnnStatus_t status = two_of(descriptor, CUDNN_ATTR_CONVOLUTION_DILATIONS, 1, v.dilation, h.dilation);
  if (status == CUDNN_STATUS_SUCCESS) {
    status = two_of(descriptor, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1, v.stride, h.stride);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = two_of(descriptor, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0, v.before, h.before);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = two_of(descriptor, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0, v.after, h.after);
  }
  descriptor.object = convolution;
  return status;
}

cudnnStatus_t build_pointwise(Descriptor& descriptor) {
  must_be("CUDNN_ATTR_POINTWISE_MATH_PREC", descriptor.integer(CUDNN_ATTR_POINTWISE_MATH_PREC), CUDNN_DATA_FLOAT);
  Pointwise pointwise;
  pointwise.mode = static_cast<cudnnPointwiseMode_t>(descriptor.integer(CUDNN_ATTR_POINTWISE_MODE));
  switch (pointwise.mode) {
    case CUDNN_POINTWISE_ADD:
    case CUDNN_POINTWISE_SUB:
    case CUDNN_POINTWISE_MUL:
    case CUDNN_POINTWISE_MAX:
    case CUDNN_POINTWISE_MIN:
    case CUDNN_POINTWISE_IDENTITY:
    case CUDNN_POINTWISE_RELU_FWD:
    case CUDNN_POINTWISE_RELU_BWD:
      break;
    default:
      unsupported("cudnnPointwiseMode_t " + std::to_string(pointwise.mode));
  }
  pointwise.lower_clip = descriptor.number(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0);
  pointwise.upper_clip = descriptor.number(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 0);
  pointwise.has_upper_clip = descriptor.has(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP);
  pointwise.lower_slope = descriptor.number(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, 0);
  descriptor.object = pointwise;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_reduction(Descriptor& descriptor) {
  must_be("CUDNN_ATTR_REDUCTION_OPERATOR", descriptor.integer(CUDNN_ATTR_REDUCTION_OPERATOR), CUDNN_REDUCE_TENSOR_ADD);
  must_be("CUDNN_ATTR_REDUCTION_COMP_TYPE", descriptor.integer(CUDNN_ATTR_REDUCTION_COMP_TYPE), CUDNN_DATA_FLOAT);
  descriptor.object = Reduction{};
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace software_gpu::cudnn
