// SPDX-License-Identifier: Apache-2.0
// What heuristics offer, what notes say, and that results show it.
#include <algorithm>

#include "tests/software_gpu/tests/cudnn_convolution.hpp"

namespace software_gpu {
namespace {

using namespace testing;

const Problem kLarge{Pass::filter, Element::fp16, Element::fp16, 4, 16, 8, 8, 16};

/// The first configuration of mode A with the note; the test fails when there is none.
DescriptorPtr with_note(const Convolution& convolution, cudnnBackendNumericalNote_t note) {
  for (DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
    if (has(notes(*configuration), note)) return std::move(configuration);
  }
  require(false, "an engine with note " + std::to_string(note));
  return nullptr;
}

bool repeats(const Convolution& convolution, const Descriptor& configuration) {
  const Floats first = convolution.run(configuration);
  for (int i = 0; i < 3; ++i) {
    if (convolution.run(configuration) != first) return false;
  }
  return true;
}

TEST(CudnnEngine, OnlyThoseWithTheNoteDoNotRepeatTheirBits) {
  for (const Pass pass : {Pass::forward, Pass::data, Pass::filter}) {
    expect_clean(schedule("random"), [pass] {
      Problem problem = kLarge;
      problem.pass = pass;
      Convolution convolution(problem);
      int varying = 0;
      for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
        if (workspace_bytes(*plan(convolution.handle, *configuration)) > 1 << 30) continue;
        const bool nondeterministic = has(notes(*configuration), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
        require(repeats(convolution, *configuration) != nondeterministic, "bits repeat unless the note says otherwise");
        varying += nondeterministic ? 1 : 0;
      }
      require(varying > 0, "a non-deterministic engine is offered");
    });
  }
}

TEST(CudnnEngine, WhatToFilterComesFirst) {
  expect_clean(schedule("eager"), [] {
    Convolution convolution(kLarge);
    const std::vector<DescriptorPtr> offered = configurations(*convolution.operation_graph);
    require(has(notes(*offered.front()), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC), "the first is non-deterministic");
    for (const auto mode : {CUDNN_HEUR_MODE_INSTANT, CUDNN_HEUR_MODE_B}) {
      require(configurations(*convolution.operation_graph, mode).size() == offered.size(), "all modes offer as many");
    }
    for (const DescriptorPtr& fallback : configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK)) {
      require(!has(notes(*fallback), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC), "what falls back repeats its bits");
    }
  });
}

TEST(CudnnEngine, OneNeedsMoreWorkspaceThanAnybodyHas) {
  expect_clean(schedule("eager"), [] {
    Convolution convolution(kLarge);
    DescriptorPtr greedy = with_note(convolution, CUDNN_NUMERICAL_NOTE_FFT);
    const std::int64_t bytes = workspace_bytes(*plan(convolution.handle, *greedy));
    void* workspace = nullptr;
    expect_error(cudaErrorMemoryAllocation, cudaMalloc(&workspace, static_cast<std::size_t>(bytes)));
    cudaGetLastError();
  });
}

TEST(CudnnEngine, AllDeterministicOnesAgreeWithTheReference) {
  expect_clean([] {
    Convolution convolution(kLarge);
    for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
      const auto all = notes(*configuration);
      if (has(all, CUDNN_NUMERICAL_NOTE_FFT) || has(all, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) continue;
      convolution.check(convolution.run(*configuration));
    }
  });
}

/// The error of a convolution of one pixel whose only product is `value` * 1.
float error_of(cudnnBackendNumericalNote_t note, float value) {
  Convolution convolution({Pass::forward, Element::fp32, Element::fp32, 1, 1, 1, 1, 1, 1, 1, {1, 0, 1}});
  const float one = 1;
  call(cudaMemcpy(convolution.image.data.get(), &value, sizeof value, cudaMemcpyHostToDevice));
  call(cudaMemcpy(convolution.filter.data.get(), &one, sizeof one, cudaMemcpyHostToDevice));
  for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
    const auto all = notes(*configuration);
    if (all.size() != 1 && note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE) continue;
    if (has(all, note)) return convolution.run(*configuration)[0] - value;
  }
  require(false, "an engine with the note");
  return 0;
}

TEST(CudnnEngine, TensorCoresTakeFp32OperandsAsTf32) {
  expect_clean(schedule("random"), [] {
    require(error_of(CUDNN_NUMERICAL_NOTE_TENSOR_CORE, 1 + 0x1p-12F) == -0x1p-12F, "10 bits of mantissa");
    require(error_of(CUDNN_NUMERICAL_NOTE_TENSOR_CORE, 0x1p100F) == 0, "the exponents of FP32");
  });
}

TEST(CudnnEngine, DownConversionLosesTheExponentsOfFp32) {
  expect_clean(schedule("random"), [] {
    require(std::isinf(error_of(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, 1e6F)), "FP16 ends at 65504");
  });
}

TEST(CudnnEngine, ReducedPrecisionReductionRoundsPartialSums) {
  expect_clean(schedule("random"), [] {
    const Problem problem{Pass::forward, Element::fp16, Element::fp16, 1, 1, 1, 3, 1, 3, 1, {1, 1, 1}};
    Convolution convolution(problem);
    const Floats image = {2048, 1, 1}, filter(9, 1);  // 2048 + 1 is 2048 in FP16, 2048 + 1 + 1 is 2050
    std::vector<std::byte> bytes(18);
    narrow(Element::fp16, image.data(), 3, bytes.data());
    call(cudaMemcpy(convolution.image.data.get(), bytes.data(), 6, cudaMemcpyHostToDevice));
    narrow(Element::fp16, filter.data(), 9, bytes.data());
    call(cudaMemcpy(convolution.filter.data.get(), bytes.data(), 18, cudaMemcpyHostToDevice));
    const auto reduced = with_note(convolution, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION);
    const auto exact = std::move(configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front());
    require(convolution.run(*reduced)[1] == 2048, "each partial sum is rounded");
    require(convolution.run(*exact)[1] == 2050, "only the sum is rounded");
  });
}

TEST(CudnnEngine, CanBeMadeByIndexIfItCoversTheGraph) {
  expect_ends_well([] {
    Convolution convolution(kLarge);
    const auto count =
        convolution.operation_graph->get<std::int64_t>(CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT, CUDNN_TYPE_INT64)
            .at(0);
    std::int64_t covering = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
      engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, *convolution.operation_graph)
          .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, Dims{i});
      const cudnnStatus_t status = engine.try_finalize();
      require(status == CUDNN_STATUS_SUCCESS || status == CUDNN_STATUS_NOT_SUPPORTED, "it does or it does not");
      covering += status == CUDNN_STATUS_SUCCESS ? 1 : 0;
    }
    require(covering == static_cast<std::int64_t>(configurations(*convolution.operation_graph).size()),
            "as many as the heuristic offers");
    Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, *convolution.operation_graph)
        .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, Dims{count});
    dnn(CUDNN_STATUS_BAD_PARAM, engine.try_finalize());
  });
}

TEST(CudnnEngine, ASharedWorkspaceIsARace) {
  const auto run_on_two_streams = [](bool share) {
    Convolution first(kLarge), second(kLarge);
    const auto execution = [](const Convolution& convolution) {
      for (const DescriptorPtr& configuration : configurations(*convolution.operation_graph)) {
        if (notes(*configuration) == std::vector{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}) {
          return plan(convolution.handle, *configuration);
        }
      }
      return DescriptorPtr{};
    };
    DescriptorPtr one = execution(first), other = execution(second);
    const auto bytes = static_cast<std::size_t>(workspace_bytes(*one));
    Memory workspace(Memory::device, bytes), another(Memory::device, bytes);
    Stream stream, other_stream;
    call(cudaDeviceSynchronize());
    dnn(cudnnSetStream(first.handle, stream));
    dnn(cudnnSetStream(second.handle, other_stream));
    dnn(cudnnBackendExecute(first.handle, one->get(), first.pack(workspace.get())->get()));
    dnn(cudnnBackendExecute(second.handle, other->get(), second.pack((share ? workspace : another).get())->get()));
    call(cudaDeviceSynchronize());
  };
  expect_clean([&] { run_on_two_streams(false); });
  expect_reported("stream-race", [&] { run_on_two_streams(true); });
}

TEST(CudnnEngine, AWorkspaceThatIsTooSmallIsReported) {
  expect_reported("workspace-too-small", [] {
    Convolution convolution(kLarge);
    DescriptorPtr execution =
        plan(convolution.handle, *with_note(convolution, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION));
    Memory workspace(Memory::device, static_cast<std::size_t>(workspace_bytes(*execution)) - 1);
    dnn(cudnnBackendExecute(convolution.handle, execution->get(), convolution.pack(workspace.get())->get()));
    call(cudaDeviceSynchronize());
  });
}

TEST(CudnnEngine, OperandsAreCheckedAsKernelsAre) {
  expect_reported("uninitialised-read", schedule("random"), [] {
    Convolution convolution(kLarge);
    Array uninitialised(Element::fp16, volume(convolution.p.image()));
    DescriptorPtr execution =
        plan(convolution.handle, *configurations(*convolution.operation_graph, CUDNN_HEUR_MODE_FALLBACK).front());
    DescriptorPtr pack = variant_pack({{kImage, uninitialised.get()},
                                       {kFilter, convolution.filter.data.get()},
                                       {kResponse, convolution.response.data.get()}});
    dnn(cudnnBackendExecute(convolution.handle, execution->get(), pack->get()));
    call(cudaDeviceSynchronize());
  });
}

}  // namespace
}  // namespace software_gpu
