// SPDX-License-Identifier: Apache-2.0
// Results of all passes against a reference in double precision.
#include "tests/software_gpu/tests/cudnn_convolution.hpp"

namespace software_gpu {
namespace {

using namespace testing;

constexpr Pass kPasses[] = {Pass::forward, Pass::data, Pass::filter};

void run_and_check(const Problem& problem, float alpha = 1, float beta = 0) {
  Convolution convolution(problem, alpha, beta);
  const std::vector<DescriptorPtr> fallback = configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK);
  convolution.check(convolution.run(*fallback.front()));
}

TEST(CudnnConvolution, AllPassesAndTypes) {
  expect_clean(schedule("random"), [] {
    for (const Pass pass : kPasses) {
      for (const Element type : {Element::fp16, Element::bf16, Element::fp32}) run_and_check({pass, type, type});
    }
  });
}

TEST(CudnnConvolution, StridesPaddingsDilationsGroups) {
  for (const Pass pass : kPasses) {
    expect_clean(schedule("random"), [pass] {
      for (const Geometry& geometry : {Geometry{1, 0, 1}, {2, 1, 1}, {3, 2, 1}, {1, 2, 2}, {2, 0, 2}, {2, 0, 1, 2}}) {
        for (const std::int64_t groups : {1, 2, 4}) {
          run_and_check({pass, Element::fp16, Element::fp16, 2, 8, 7, 6, 4, 3, groups, geometry});
        }
      }
    });
  }
}

TEST(CudnnConvolution, OnePixelAndOddSizes) {
  expect_clean(schedule("random"), [] {
    for (const Pass pass : kPasses) {
      run_and_check({pass, Element::fp32, Element::fp32, 1, 1, 1, 1, 1, 1, 1, {1, 0, 1}});
      run_and_check({pass, Element::fp16, Element::fp16, 3, 3, 5, 1, 7, 1, 1, {2, 0, 1}});
      run_and_check({pass, Element::bf16, Element::bf16, 1, 6, 2, 9, 6, 2, 6, {1, 1, 1}});
    }
  });
}

TEST(CudnnConvolution, AlphaAndBetaBlendWithWhatWasThere) {
  expect_clean(schedule("random"), [] {
    for (const Pass pass : kPasses) run_and_check({pass, Element::fp32, Element::fp32}, 0.5F, -2);
  });
}

TEST(CudnnConvolution, FilterGradientsMayBeFp32ByTheFusionEngine) {
  expect_clean(schedule("random"), [] {
    for (const Element in : {Element::fp16, Element::bf16}) {
      Convolution convolution({Pass::filter, in, Element::fp32});
      for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
        convolution.check(convolution.run(*configuration));
      }
    }
  });
}

TEST(CudnnConvolution, ChannelsFirstGivesTheSameBits) {
  expect_clean(schedule("random"), [] {
    const Problem p{Pass::forward, Element::fp16, Element::fp16, 2, 3, 4, 5, 2};
    Convolution convolution(p);
    const Floats expected =
        convolution.run(*configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front());
    DescriptorPtr image = open_tensor(kImage, p.in, p.image(), channels_first(p.image()));
    image->finalize();
    DescriptorPtr operation =
        open_operation(p.pass, p.geometry, *image, *convolution.filter.descriptor, *convolution.response.descriptor);
    operation->finalize();
    DescriptorPtr other = graph(convolution.handle, {operation.get()});
    Floats transposed(convolution.image.values.size());
    for (std::size_t i = 0; i < transposed.size(); ++i) {  // [n, h, w, c] to [n, c, h, w]
      const std::size_t c = i % 3, pixel = i / 3 % 20, n = i / 60;
      transposed[(n * 3 + c) * 20 + pixel] = convolution.image.values[i];
    }
    Array data(p.in, transposed), y(p.out, volume(p.result()));
    DescriptorPtr pack =
        variant_pack({{kImage, data.get()}, {kFilter, convolution.filter.data.get()}, {kResponse, y.get()}});
    DescriptorPtr execution = plan(convolution.handle, *configurations(*other, CUDNN_HEUR_MODE_FALLBACK).front());
    dnn(cudnnBackendExecute(convolution.handle, execution->get(), pack->get()));
    require(y.values() == expected, "the layout does not change the sums");
  });
}

TEST(CudnnConvolution, GapsOfStridesAreNeitherReadNorWritten) {
  expect_clean(schedule("random"), [] {
    Handle handle;
    const Dims dims = {1, 2, 1, 3};
    DescriptorPtr x = open_tensor(1, Element::fp32, dims, {9, 1, 9, 3});  // 3 elements a pixel, 2 of them used
    DescriptorPtr y = open_tensor(2, Element::fp32, dims, {12, 1, 12, 4});
    x->finalize();
    y->finalize();
    DescriptorPtr w = tensor(3, Element::fp32, {2, 2, 1, 1});
    DescriptorPtr operation = open_operation(Pass::forward, {1, 0, 1}, *x, *w, *y);
    operation->finalize();
    DescriptorPtr operations = graph(handle, {operation.get()});
    Array image(Element::fp32, 9), filter(Element::fp32, Floats{1, 0, 0, 2}), response(Element::fp32, Floats(12, 7));
    const Floats pixels[] = {{1, 2}, {3, 4}, {5, 6}};
    for (std::size_t i = 0; i < 3; ++i) call(cudaMemcpy(image.get(3 * i), pixels[i].data(), 8, cudaMemcpyHostToDevice));
    DescriptorPtr execution = plan(handle, *configurations(*operations, CUDNN_HEUR_MODE_FALLBACK).front());
    DescriptorPtr pack = variant_pack({{1, image.get()}, {2, response.get()}, {3, filter.get()}});
    dnn(cudnnBackendExecute(handle, execution->get(), pack->get()));
    require(response.values() == Floats{1, 4, 7, 7, 3, 8, 7, 7, 5, 12, 7, 7}, "pixels, and gaps as they were");
  });
}

TEST(CudnnConvolution, RunsInItsStreamAndIsChecked) {
  const auto convolve = [](bool wait_for_input) {
    Convolution convolution(Problem{});
    Stream copies, compute;
    Event copied;
    call(cudaDeviceSynchronize());
    call(cudaMemsetAsync(convolution.image.data.get(), 0, 16, copies));
    call(cudaEventRecord(copied, copies));
    if (wait_for_input) call(cudaStreamWaitEvent(compute, copied, 0));
    const std::vector<DescriptorPtr> engines = configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK);
    convolution.run(*engines.front(), compute);
  };
  expect_clean([&] { convolve(true); });
  expect_reported("stream-race", [&] { convolve(false); });
}

}  // namespace
}  // namespace software_gpu
