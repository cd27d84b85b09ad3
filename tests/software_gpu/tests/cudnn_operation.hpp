// SPDX-License-Identifier: Apache-2.0
// Shorthand for convolution operations of the backend API.
#pragma once
#include "tests/software_gpu/tests/cudnn_graph.hpp"

namespace software_gpu::testing {

enum class Pass { forward, data, filter };

struct Problem {
  Pass pass = Pass::forward;
  Element in = Element::fp16, out = Element::fp16;
  std::int64_t images = 2, channels = 8, height = 5, width = 4, outputs = 16, kernel = 3, groups = 1;
  Geometry geometry;

  std::int64_t response(std::int64_t extent) const {
    return (extent + 2 * geometry.padding + geometry.more_after - geometry.dilation * (kernel - 1) - 1) /
               geometry.stride +
           1;
  }
  Dims image() const { return {images, channels, height, width}; }
  Dims filter() const { return {outputs, channels / groups, kernel, kernel}; }
  Dims result() const { return {images, outputs, response(height), response(width)}; }
};

enum Uid : std::int64_t { kImage = 1, kFilter, kResponse, kBias, kMiddle, kLast };

/// Names of the attributes of an operation.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, convolution, image, filter, response;
};
inline Names names(Pass pass) {
  if (pass == Pass::forward) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
  }
  if (pass == Pass::data) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
}

/// The operation on three tensors, not yet final.
inline DescriptorPtr open_operation(Pass pass, const Geometry& geometry, const Descriptor& image,
                                    const Descriptor& filter, const Descriptor& response, float alpha = 1,
                                    float beta = 0) {
  const Names n = names(pass);
  DescriptorPtr convolution = open_convolution(geometry);
  convolution->finalize();
  auto operation = std::make_unique<Descriptor>(n.type);
  operation->set(n.alpha, CUDNN_TYPE_FLOAT, alpha).set(n.beta, CUDNN_TYPE_FLOAT, beta);
  operation->set(n.convolution, *convolution).set(n.image, image).set(n.filter, filter).set(n.response, response);
  return operation;
}

}  // namespace software_gpu::testing
