// SPDX-License-Identifier: Apache-2.0
// An unchanged CUDA program, built by nvcc and linked with NVIDIA's runtime, on the stand-in.
#include <numeric>

#include "tests/software_gpu/tests/child.hpp"
#include "tests/software_gpu/tests/launch_kernels.hpp"

namespace software_gpu::testing {
namespace {

constexpr int kElements = 300;
constexpr std::size_t kBytes = kElements * sizeof(float);

std::vector<float> counted() {
  std::vector<float> values(kElements);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

/// In the child: a launch must be refused with this error, and remembered as the last one.
void expect_refused(cudaError_t error) {
  expect_error(error, cudaGetLastError());
}

TEST(Launch, KernelsComputeWhatTheySay) {
  expect_clean([] {
    Memory x(Memory::device, kBytes), y(Memory::device, kBytes);
    Stream stream;
    const std::vector<float> in = counted();
    std::vector<float> out(kElements);
    call(cudaMemcpyAsync(x.get(), in.data(), kBytes, cudaMemcpyHostToDevice, stream));
    scale({3, kThreads, 0, stream}, 2.0f, x.as<float>(), y.as<float>(), kElements);
    call(cudaMemcpyAsync(out.data(), y.get(), kBytes, cudaMemcpyDeviceToHost, stream));
    for (int i = 0; i < kElements; ++i) require(out[i] == 2.0f * in[i], "element " + std::to_string(i));
  });
}

TEST(Launch, DynamicSharedMemoryHasTheSizeOfTheLaunch) {
  expect_clean([] {
    Memory y(Memory::device, kBytes);
    const std::vector<float> in = counted();
    std::vector<float> out(kElements);
    call(cudaMemcpy(y.get(), in.data(), kBytes, cudaMemcpyHostToDevice));
    reverse({3, 100, 100 * sizeof(float), nullptr}, y.as<float>());
    call(cudaMemcpy(out.data(), y.get(), kBytes, cudaMemcpyDeviceToHost));
    for (int i = 0; i < kElements; ++i)
      require(out[i] == in[i / 100 * 100 + 99 - i % 100], "element " + std::to_string(i));
  });
}

TEST(Launch, LargeParametersAreCopiedWhenTheKernelIsLaunched) {
  expect_clean([] {
    Memory y(Memory::device, 4000);
    Table table;
    std::iota(std::begin(table.values), std::end(table.values), 0.0f);
    look_up({}, table, y.as<float>(), 1000);
    table = {};
    std::vector<float> out(1000);
    call(cudaMemcpy(out.data(), y.get(), 4000, cudaMemcpyDeviceToHost));
    require(out[999] == 999.0f, "the value at the launch");
  });
}

TEST(Launch, KernelsReadAndWritePinnedMemory) {
  expect_clean([] {
    Memory x(Memory::pinned, kBytes), y(Memory::pinned, kBytes);
    Stream stream;
    for (int i = 0; i < kElements; ++i) x.as<float>()[i] = static_cast<float>(i);
    scale({3, kThreads, 0, stream}, 2.0f, x.as<float>(), y.as<float>(), kElements);
    call(cudaStreamSynchronize(stream));
    require(y.as<float>()[7] == 14.0f, "written by the kernel");
  });
}

TEST(Launch, KernelsOnTwoStreamsNeedAnEvent) {
  const auto run = [](bool with_event) {
    Memory x(Memory::device, kBytes);
    Stream a, b;
    Event event;
    call(cudaMemset(x.get(), 0, kBytes));
    call(cudaDeviceSynchronize());
    scale({3, kThreads, 0, a}, 2.0f, x.as<float>(), x.as<float>(), kElements);
    call(cudaEventRecord(event, a));
    if (with_event) call(cudaStreamWaitEvent(b, event));
    scale({3, kThreads, 0, b}, 2.0f, x.as<float>(), x.as<float>(), kElements);
    call(cudaDeviceSynchronize());
  };
  expect_clean([&] { run(true); });
  expect_reported("stream-race: ", [&] { run(false); });
}

TEST(Launch, WrongConfigurationsAreRefused) {
  const std::vector<Launch> wrong = {{0, 1},       {1, 0}, {1, 1025}, {1, kThreads + 1}, {1, 1, (48 << 10) + 1},
                                     {1u << 31, 1}};
  for (const Launch& launch : wrong) {
    expect_reported("launch-configuration: nothing_kernel", schedule("random"), [&] {
      nothing(launch);
      expect_refused(cudaErrorInvalidConfiguration);
    });
  }
}

TEST(Launch, SharedMemoryBeyond48KiBIsAllowedOnRequest) {
  expect_clean([] {
    Memory y(Memory::device, kBytes);
    call(cudaMemset(y.get(), 0, kBytes));
    const int most = 163 << 10;
    expect_error(cudaErrorInvalidValue,
                 cudaFuncSetAttribute(reverse_function(), cudaFuncAttributeMaxDynamicSharedMemorySize, most + 1));
    call(cudaFuncSetAttribute(reverse_function(), cudaFuncAttributeMaxDynamicSharedMemorySize, most));
    reverse({1, 100, static_cast<std::size_t>(most), nullptr}, y.as<float>());
    expect_error(cudaErrorInvalidValue, cudaGetLastError());  // of the first cudaFuncSetAttribute; the launch is fine
    call(cudaDeviceSynchronize());
  });
}

TEST(Launch, AttributesAndOccupancyFollowTheLaunchBounds) {
  expect_clean(schedule("eager"), [] {
    cudaFuncAttributes attributes{};
    int blocks = 0;
    call(cudaFuncGetAttributes(&attributes, scale_function()));
    require(attributes.maxThreadsPerBlock == kThreads && attributes.sharedSizeBytes == 0, "attributes");
    call(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale_function(), kThreads, 0));
    require(blocks == 2048 / kThreads, std::to_string(blocks));
    call(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale_function(), kThreads, 40 << 10));
    require(blocks == 4, std::to_string(blocks));
    call(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale_function(), kThreads + 1, 0));
    require(blocks == 0, std::to_string(blocks));
  });
}

TEST(Launch, DestroyedAndForeignStreamsAreRefused) {
  expect_reported("destroyed-stream: scale_kernel", schedule("lazy"), [] {
    cudaStream_t stream = nullptr;
    call(cudaStreamCreate(&stream));
    call(cudaStreamDestroy(stream));
    scale({1, 1, 0, stream}, 1.0f, nullptr, nullptr, 0);
    expect_refused(cudaErrorInvalidResourceHandle);
  });
  expect_reported("wrong-device: nothing_kernel", schedule("lazy"), [] {
    Stream stream;
    call(cudaSetDevice(1));
    nothing({1, 1, 0, stream});
    expect_refused(cudaErrorInvalidResourceHandle);
  });
}

TEST(Launch, AKernelWithoutPtxStopsTheProgramWithItsName) {
  expect_reported(
      "unsupported: no file of SOFTWARE_GPU_PTX has the kernel ", {{"SOFTWARE_GPU_PTX", ""}}, [] { nothing({}); }, 89);
  expect_reported(
      "unsupported: SOFTWARE_GPU_PTX: cannot read /none.ptx", {{"SOFTWARE_GPU_PTX", "/none.ptx"}}, [] { nothing({}); },
      89);
}

TEST(Launch, AFunctionThatIsNoKernelIsRefused) {
  expect_reported("invalid-handle: ", schedule("eager"), [] {
    static const int kNoKernel = 0;
    expect_error(cudaErrorInvalidDeviceFunction, cudaLaunchKernel(&kNoKernel, dim3(1), dim3(1), nullptr, 0, nullptr));
  });
}

TEST(Launch, AnOverrunByAKernelIsFoundAndEndsTheContext) {
  expect_reported("out-of-bounds: ", [] {
    Memory x(Memory::pinned, kBytes), y(Memory::device, kBytes - 4);
    scale({3, kThreads, 0, nullptr}, 2.0f, x.as<float>(), y.as<float>(), kElements);
    expect_error(cudaErrorIllegalAddress, cudaDeviceSynchronize());
    std::exit(0);
  });
}

}  // namespace
}  // namespace software_gpu::testing
