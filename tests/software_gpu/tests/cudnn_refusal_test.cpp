// SPDX-License-Identifier: Apache-2.0
// What the manual refuses, one case each.
#include <cstring>

#include "tests/software_gpu/tests/cudnn_convolution.hpp"

namespace software_gpu {
namespace {

using namespace testing;

const Dims kDims = {1, 8, 4, 4};

TEST(CudnnRefuses, TensorsWithoutAllAttributes) {
  expect_ends_well([] {
    Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, Dims{1}).set(CUDNN_ATTR_TENSOR_DIMENSIONS, kDims);
    dnn(CUDNN_STATUS_BAD_PARAM, tensor.try_finalize());
    char message[64];
    cudnnGetLastErrorString(message, sizeof message);
    require(std::strstr(message, "CUDNN_ATTR_TENSOR_DATA_TYPE") != nullptr, "the message names what is missing");
  });
}

TEST(CudnnRefuses, TensorsOfOddShapeOrAlignment) {
  expect_ends_well([] {
    dnn(CUDNN_STATUS_BAD_PARAM, open_tensor(1, Element::fp16, kDims, {128, 1, 32})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_tensor(1, Element::fp16, kDims, {128, 0, 32, 8})->try_finalize());
    DescriptorPtr tensor = open_tensor(1, Element::fp32, kDims, channels_last(kDims));
    tensor->set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, Dims{2});
    dnn(CUDNN_STATUS_BAD_PARAM, tensor->try_finalize());
  });
}

TEST(CudnnRefuses, AttributesOfAnotherTypeCountOrDescriptor) {
  expect_ends_well([] {
    Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    dnn(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE,
        tensor.try_set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT32, std::vector<std::int32_t>{1}));
    dnn(CUDNN_STATUS_BAD_PARAM, tensor.try_set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, Dims{1, 2}));
    dnn(CUDNN_STATUS_BAD_PARAM, tensor.try_set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, Dims(9, 1)));
    dnn(CUDNN_STATUS_BAD_PARAM, tensor.try_set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, Dims{2}));
    dnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
        cudnnBackendSetAttribute(tensor.get(), CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, nullptr));
  });
}

TEST(CudnnRefuses, ChangesOfAFinalDescriptorAndQuestionsToAnOpenOne) {
  expect_ends_well([] {
    DescriptorPtr final = tensor(1, Element::fp16, kDims);
    dnn(CUDNN_STATUS_NOT_INITIALIZED, final->try_set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, Dims{2}));
    DescriptorPtr open = open_tensor(1, Element::fp16, kDims, channels_last(kDims));
    std::int64_t count = 0, uid = 0;
    dnn(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
        cudnnBackendGetAttribute(open->get(), CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &count, &uid));
  });
}

TEST(CudnnRefuses, PartsThatAreNotFinalOrOfAnotherKind) {
  expect_ends_well([] {
    Descriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    DescriptorPtr open = open_tensor(1, Element::fp16, kDims, channels_last(kDims));
    dnn(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
        operation.try_set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          std::vector{open->get()}));
    DescriptorPtr final = tensor(1, Element::fp16, kDims);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1.F)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_DOUBLE, 0.)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, *final)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, *final)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, *final)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, *final);
    dnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, operation.try_finalize());
  });
}

TEST(CudnnRefuses, DescriptorsThatWereDestroyed) {
  expect_ends_well([] {
    cudnnBackendDescriptor_t handle = nullptr;
    dnn(cudnnBackendCreateDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, &handle));
    dnn(cudnnBackendDestroyDescriptor(handle));
    dnn(CUDNN_STATUS_BAD_PARAM, cudnnBackendDestroyDescriptor(handle));
    dnn(CUDNN_STATUS_BAD_PARAM, cudnnBackendFinalize(handle));
  });
}

TEST(CudnnRefuses, ConvolutionsThatDoNotFitTogether) {
  const auto finalize = [](const Dims& image, const Dims& filter, const Dims& response) {
    DescriptorPtr x = tensor(1, Element::fp16, image), w = tensor(2, Element::fp16, filter);
    DescriptorPtr y = tensor(3, Element::fp16, response);
    return open_operation(Pass::forward, {2, 1, 1}, *x, *w, *y)->try_finalize();
  };
  expect_ends_well([&] {
    dnn(CUDNN_STATUS_SUCCESS, finalize({2, 8, 9, 9}, {4, 8, 3, 3}, {2, 4, 5, 5}));
    dnn(CUDNN_STATUS_SUCCESS, finalize({2, 8, 9, 9}, {4, 4, 3, 3}, {2, 4, 5, 5}));  // two groups
    dnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, finalize({2, 8, 9, 9}, {4, 8, 3, 3}, {2, 4, 5, 4}));
    dnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, finalize({2, 8, 9, 9}, {4, 8, 3, 3}, {1, 4, 5, 5}));
    dnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, finalize({2, 8, 9, 9}, {4, 3, 3, 3}, {2, 4, 5, 5}));
    dnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, finalize({2, 8, 9, 9}, {3, 4, 3, 3}, {2, 3, 5, 5}));
  });
}

TEST(CudnnRefuses, ConvolutionParametersOfOneDimension) {
  expect_ends_well([] {
    DescriptorPtr convolution = open_convolution({});
    convolution->set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Dims{1});
    dnn(CUDNN_STATUS_BAD_PARAM, convolution->try_finalize());
    convolution = open_convolution({0, 1, 1});
    dnn(CUDNN_STATUS_BAD_PARAM, convolution->try_finalize());
  });
}

TEST(CudnnRefuses, GraphsWithClashingOrOrphanedTensors) {
  expect_ends_well([] {
    Handle handle;
    DescriptorPtr x = tensor(1, Element::fp16, kDims), y = tensor(2, Element::fp16, kDims);
    DescriptorPtr other_x = tensor(1, Element::fp32, kDims), orphan = tensor(5, Element::fp16, kDims, true);
    DescriptorPtr z = tensor(3, Element::fp16, kDims);
    const auto identity = [](const Descriptor& from, const Descriptor& to) {
      return pointwise(CUDNN_POINTWISE_IDENTITY, from, nullptr, to);
    };
    DescriptorPtr first = identity(*x, *y), clash = identity(*other_x, *z), twice = identity(*z, *y);
    DescriptorPtr orphaned = identity(*orphan, *y), back = identity(*y, *x);
    dnn(CUDNN_STATUS_SUCCESS, open_graph(handle, {first.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_graph(handle, {first.get(), clash.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_graph(handle, {first.get(), twice.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_graph(handle, {orphaned.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_graph(handle, {first.get(), back.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, open_graph(handle, {x.get()})->try_finalize());
    dnn(CUDNN_STATUS_BAD_PARAM, open_graph(nullptr, {first.get()})->try_finalize());
  });
}

TEST(CudnnRefuses, PointwiseOperationsWithoutTheirTensors) {
  expect_ends_well([] {
    DescriptorPtr x = tensor(1, Element::fp16, kDims), wide = tensor(2, Element::fp16, {1, 16, 4, 4});
    DescriptorPtr add = open_pointwise_operation(CUDNN_POINTWISE_ADD);
    add->set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, *x).set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, *x);
    dnn(CUDNN_STATUS_BAD_PARAM, add->try_finalize());
    add->set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *wide);
    dnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, add->try_finalize());
  });
}

TEST(CudnnRefuses, VariantPacksThatDoNotFitThePlan) {
  expect_ends_well([] {
    Convolution convolution(Problem{});
    DescriptorPtr execution =
        plan(convolution.handle, *configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front());
    void *x = convolution.image.data.get(), *w = convolution.filter.data.get(), *y = convolution.response.data.get();
    const auto execute = [&](const std::map<std::int64_t, void*>& pointers) {
      return cudnnBackendExecute(convolution.handle, execution->get(), variant_pack(pointers)->get());
    };
    dnn(CUDNN_STATUS_SUCCESS, execute({{kImage, x}, {kFilter, w}, {kResponse, y}}));
    dnn(CUDNN_STATUS_BAD_PARAM, execute({{kImage, x}, {kResponse, y}}));
    dnn(CUDNN_STATUS_BAD_PARAM, execute({{kImage, x}, {kFilter, w}, {kResponse, y}, {kMiddle, y}}));
    dnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, execute({{kImage, x}, {kFilter, nullptr}, {kResponse, y}}));
    dnn(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
        execute({{kImage, convolution.image.data.get(1)}, {kFilter, w}, {kResponse, y}}));
    dnn(CUDNN_STATUS_BAD_PARAM, execute({{kImage, x}, {kFilter, w}, {kResponse, x}}));
  });
}

TEST(CudnnRefuses, VariantPacksWithUnequalOrDoubleEntries) {
  expect_ends_well([] {
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    void* pointer = &pack;
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, Dims{1, 1})
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointer);
    dnn(CUDNN_STATUS_BAD_PARAM, pack.try_finalize());
    dnn(pack.try_set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::vector{pointer, pointer}));
    dnn(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, pack.try_finalize());
  });
}

TEST(CudnnRefuses, ExecutionWithoutWorkspaceHandleOrPlan) {
  expect_ends_well([] {
    Convolution convolution(Problem{});
    for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
      DescriptorPtr execution = plan(convolution.handle, *configuration);
      const bool needs = workspace_bytes(*execution) > 0;
      dnn(needs ? CUDNN_STATUS_BAD_PARAM_NULL_POINTER : CUDNN_STATUS_SUCCESS,
          cudnnBackendExecute(convolution.handle, execution->get(), convolution.pack()->get()));
      dnn(CUDNN_STATUS_BAD_PARAM, cudnnBackendExecute(nullptr, execution->get(), convolution.pack()->get()));
      dnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE,
          cudnnBackendExecute(convolution.handle, configuration->get(), convolution.pack()->get()));
    }
  });
}

TEST(CudnnRefuses, WhatItDoesNotKnowByName) {
  const auto stops = [](const std::function<void()>& body) {
    expect_reported("unsupported", schedule("eager"), body, 89);
  };
  stops([] { Descriptor matmul(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR); });
  stops([] { open_pointwise_operation(CUDNN_POINTWISE_TANH_FWD); });
  stops([] {
    open_convolution({})->set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_HALF).finalize();
  });
  stops([] { open_tensor(1, Element::fp16, {1, 8, 4}, {32, 1, 8})->finalize(); });
  stops([] { Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR).set(CUDNN_ATTR_TENSOR_VECTORIZED_DIMENSION, Dims{1}); });
  stops([] { cudnnSetCallback(0, nullptr, nullptr); });
}

}  // namespace
}  // namespace software_gpu
