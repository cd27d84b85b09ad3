// SPDX-License-Identifier: Apache-2.0
// Graphs of several operations, and what the support surfaces of the fusion engine leave out.
#include <limits>

#include "tests/software_gpu/tests/cudnn_convolution.hpp"

namespace software_gpu {
namespace {

using namespace testing;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// y = relu(conv(x, w) + bias), with virtual tensors between.
struct ConvolutionBiasRelu {
  explicit ConvolutionBiasRelu(const Problem& problem, Element virtual_type = Element::fp32)
      : p(problem),
        x(kImage, p.in, p.image()),
        w(kFilter, p.in, p.filter()),
        y(kLast, p.out, p.result()),
        bias(kBias, p.out, {1, p.outputs, 1, 1}),
        sum(tensor(kResponse, virtual_type, p.result(), true)),
        biased(tensor(kMiddle, virtual_type, p.result(), true)) {
    convolution = open_operation(Pass::forward, p.geometry, *x.descriptor, *w.descriptor, *sum);
    convolution->finalize();
    add = pointwise(CUDNN_POINTWISE_ADD, *sum, bias.descriptor.get(), *biased);
    relu = pointwise(CUDNN_POINTWISE_RELU_FWD, *biased, nullptr, *y.descriptor);
    operations = graph(handle, {relu.get(), convolution.get(), add.get()});  // any order
  }
  DescriptorPtr pack() const {
    return variant_pack(
        {{kImage, x.data.get()}, {kFilter, w.data.get()}, {kBias, bias.data.get()}, {kLast, y.data.get()}});
  }

  Problem p;
  Handle handle;
  Convolution::Operand x, w, y, bias;
  DescriptorPtr sum, biased, convolution, add, relu, operations;
};

TEST(CudnnFusion, ConvolutionBiasRelu) {
  expect_clean([] {
    const Problem problem{Pass::forward, Element::fp16, Element::fp16, 2, 8, 4, 4, 8};
    ConvolutionBiasRelu fused(problem);
    Convolution plain(
        {Pass::forward, Element::fp16, Element::fp32, 2, 8, 4, 4, 8});  // the same seeds, so the same data
    const Floats sums = plain.run(*configurations(*plain.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front());
    DescriptorPtr execution = plan(fused.handle, *configurations(*fused.operations).front());
    require(workspace_bytes(*execution) == 0, "no workspace");
    dnn(cudnnBackendExecute(fused.handle, execution->get(), fused.pack()->get()));
    const Floats found = fused.y.data.values();
    for (std::size_t i = 0; i < found.size(); ++i) {
      const float biased = sums[i] + fused.bias.values[i % 8];
      require(found[i] == rounded(Element::fp16, biased > 0 ? biased : 0), "element " + std::to_string(i));
    }
  });
}

TEST(CudnnFusion, OnlyTheStrictEngineKeepsNaN) {
  expect_clean(schedule("random"), [] {
    const Problem problem{Pass::forward, Element::fp16, Element::fp16, 1, 8, 1, 1, 8, 1, 1, {1, 0, 1}};
    ConvolutionBiasRelu fused(problem);
    call(cudaMemset(fused.bias.data.get(), 0xFF, 16));  // NaN
    int strict = 0;
    for (const DescriptorPtr& configuration : configurations(*fused.operations)) {
      DescriptorPtr execution = plan(fused.handle, *configuration);
      dnn(cudnnBackendExecute(fused.handle, execution->get(), fused.pack()->get()));
      const bool keeps = has(notes(*configuration), CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP);
      require(std::isnan(fused.y.data.values()[0]) == keeps, "as the note says");
      strict += keeps ? 1 : 0;
    }
    require(strict == 1, "one engine has the note");
  });
}

TEST(CudnnFusion, VirtualTensorsRoundToTheirType) {
  expect_clean(schedule("random"), [] {
    const Problem problem{Pass::forward, Element::fp16, Element::fp32, 1, 8, 1, 1, 8, 1, 1, {1, 0, 1}};
    for (const Element type : {Element::fp32, Element::fp16}) {
      ConvolutionBiasRelu fused(problem, type);
      Floats x(8, 0), w(64, 0), bias(8, 0);
      x[0] = 2048;
      x[1] = 1;
      for (std::size_t k = 0; k < 8; ++k) w[8 * k] = w[8 * k + 1] = 1;  // 2049 in every channel
      std::vector<std::byte> bytes(128);
      narrow(Element::fp16, x.data(), 8, bytes.data());
      call(cudaMemcpy(fused.x.data.get(), bytes.data(), 16, cudaMemcpyHostToDevice));
      narrow(Element::fp16, w.data(), 64, bytes.data());
      call(cudaMemcpy(fused.w.data.get(), bytes.data(), 128, cudaMemcpyHostToDevice));
      call(cudaMemcpy(fused.bias.data.get(), bias.data(), 32, cudaMemcpyHostToDevice));
      DescriptorPtr execution = plan(fused.handle, *configurations(*fused.operations).front());
      dnn(cudnnBackendExecute(fused.handle, execution->get(), fused.pack()->get()));
      require(fused.y.data.values()[0] == (type == Element::fp32 ? 2049 : 2048),
              "the intermediate storage type is obeyed");
    }
  });
}

TEST(CudnnFusion, PointwiseModes) {
  const auto apply = [](cudnnPointwiseMode_t mode, const Floats& x, const Floats& b) {
    Handle handle;
    const Dims dims = {1, 4, 1, 1};
    DescriptorPtr first = tensor(1, Element::fp32, dims), second = tensor(2, Element::fp32, dims);
    DescriptorPtr last = tensor(3, Element::fp32, dims);
    DescriptorPtr operation;
    if (mode == CUDNN_POINTWISE_RELU_BWD) {
      operation = open_pointwise_operation(mode);
      operation->set(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, *first)
          .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, *second)
          .set(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, *last)
          .finalize();
    } else {
      operation = pointwise(mode, *first, b.empty() ? nullptr : second.get(), *last);
    }
    DescriptorPtr operations = graph(handle, {operation.get()});
    DescriptorPtr execution = plan(handle, *configurations(*operations).front());
    Array left(Element::fp32, x), right(Element::fp32, b.empty() ? x : b), result(Element::fp32, 4);
    std::map<std::int64_t, void*> pointers = {{1, left.get()}, {3, result.get()}};
    if (!b.empty()) pointers[2] = right.get();
    dnn(cudnnBackendExecute(handle, execution->get(), variant_pack(pointers)->get()));
    return result.values();
  };
  expect_clean(schedule("random"), [&] {
    const Floats x = {1, -2, 3, -4}, b = {5, 6, -7, -8};
    require(apply(CUDNN_POINTWISE_ADD, x, b) == Floats{6, 4, -4, -12}, "add");
    require(apply(CUDNN_POINTWISE_SUB, x, b) == Floats{-4, -8, 10, 4}, "sub");
    require(apply(CUDNN_POINTWISE_MUL, x, b) == Floats{5, -12, -21, 32}, "mul");
    require(apply(CUDNN_POINTWISE_MAX, x, b) == Floats{5, 6, 3, -4}, "max");
    require(apply(CUDNN_POINTWISE_MIN, x, b) == Floats{1, -2, -7, -8}, "min");
    require(apply(CUDNN_POINTWISE_IDENTITY, x, {}) == x, "identity");
    require(apply(CUDNN_POINTWISE_RELU_FWD, {1, -2, kNaN, 0}, {}) == Floats{1, 0, 0, 0}, "relu takes NaN for 0");
    require(apply(CUDNN_POINTWISE_RELU_BWD, x, {1, 0, -1, 2}) == Floats{1, 0, 0, -4}, "dy where x > 0");
  });
}

TEST(CudnnFusion, ReductionOverAllButChannels) {
  expect_clean(schedule("random"), [] {
    Handle handle;
    DescriptorPtr x = tensor(1, Element::fp16, {2, 4, 1, 3}), y = tensor(2, Element::fp32, {1, 4, 1, 1});
    Descriptor reduction(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    reduction.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, CUDNN_REDUCE_TENSOR_ADD)
        .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
        .finalize();
    Descriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, reduction)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, *x)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, *y)
        .finalize();
    DescriptorPtr operations = graph(handle, {&operation});
    Floats values(24);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    Array input(Element::fp16, values), output(Element::fp32, 4);
    DescriptorPtr execution = plan(handle, *configurations(*operations).front());
    dnn(cudnnBackendExecute(handle, execution->get(), variant_pack({{1, input.get()}, {2, output.get()}})->get()));
    require(output.values() == Floats{60, 66, 72, 78}, "channel c: 6c + 4 * (0 + .. + 5)");
  });
}

/// No engine covers the graph: the heuristic says so.
void expect_not_covered(const Descriptor& operations) {
  dnn(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, open_heuristics(operations)->try_finalize());
}

TEST(CudnnFusion, OutsideTheSupportSurface) {
  expect_ends_well([] {
    const Problem covered{Pass::forward, Element::fp16, Element::fp16, 2, 8, 4, 4, 8};
    configurations(*ConvolutionBiasRelu(covered).operations);
    Problem unaligned = covered;
    unaligned.channels = 4;  // 8 bytes a pixel, the convolution's input needs 16
    expect_not_covered(*ConvolutionBiasRelu(unaligned).operations);
    Problem odd = covered;
    odd.outputs = 9;  // the epilogue needs 4 bytes
    expect_not_covered(*ConvolutionBiasRelu(odd).operations);
  });
}

TEST(CudnnFusion, Fp32FilterGradientsNeedAlignedChannels) {
  expect_ends_well([] {
    Problem problem{Pass::filter, Element::fp16, Element::fp32};
    problem.channels = 3;
    expect_not_covered(*Convolution(problem).operation_graph);
    problem.out = Element::fp16;  // all of one type: the engines without code generation have no such limit
    Convolution same_type(problem);
    same_type.check(same_type.run(*configurations(*same_type.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front()));
  });
}

TEST(CudnnFusion, BroadcastTensorsComeSecond) {
  expect_ends_well([] {
    Handle handle;
    const Dims full = {2, 4, 3, 3}, channels = {1, 4, 1, 1};
    DescriptorPtr x = tensor(1, Element::fp16, full), bias = tensor(2, Element::fp16, channels);
    DescriptorPtr y = tensor(3, Element::fp16, full);
    DescriptorPtr right = pointwise(CUDNN_POINTWISE_ADD, *x, bias.get(), *y);
    DescriptorPtr wrong = pointwise(CUDNN_POINTWISE_ADD, *bias, x.get(), *y);
    configurations(*graph(handle, {right.get()}));
    expect_not_covered(*graph(handle, {wrong.get()}));
    ConvolutionBiasRelu fused({Pass::forward, Element::fp16, Element::fp16, 2, 8, 4, 4, 8});
    DescriptorPtr bias_first = pointwise(CUDNN_POINTWISE_ADD, *fused.bias.descriptor, fused.sum.get(), *fused.biased);
    expect_not_covered(*graph(fused.handle, {fused.convolution.get(), bias_first.get(), fused.relu.get()}));
  });
}

TEST(CudnnFusion, TwoConvolutionsAreNoPattern) {
  expect_ends_well([] {
    Handle handle;
    const Dims image = {1, 8, 4, 4}, filter = {8, 8, 3, 3};
    DescriptorPtr x = tensor(1, Element::fp16, image), w = tensor(2, Element::fp16, filter);
    DescriptorPtr middle = tensor(3, Element::fp16, image, true), y = tensor(4, Element::fp16, image);
    DescriptorPtr first = open_operation(Pass::forward, {}, *x, *w, *middle);
    DescriptorPtr second = open_operation(Pass::forward, {}, *middle, *w, *y);
    first->finalize();
    second->finalize();
    expect_not_covered(*graph(handle, {first.get(), second.get()}));
  });
}

}  // namespace
}  // namespace software_gpu
