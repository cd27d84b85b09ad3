// SPDX-License-Identifier: Apache-2.0
// Defects planted in host code: each must be reported with its kind, under every schedule unless it says why not.
#include <cstring>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu {
namespace {

using namespace testing;

constexpr std::size_t kBytes = 4096;

/// What stands for a kernel here.
void kernel(cudaStream_t stream, const Memory& in, const Memory& out) {
  submit(stream, "kernel", [&](Operation& operation) {
    std::memcpy(operation.write(out.get(), kBytes), operation.read(in.get(), kBytes), kBytes);
  });
}

/// A program without defect, of which the tests below each leave something out.
void pipeline(bool event, bool wait) {
  Memory host(Memory::pinned, kBytes), in(Memory::device, kBytes), out(Memory::device, kBytes);
  Stream copies, compute;
  Event copied;
  call(cudaMemset(in.get(), 0, kBytes));
  call(cudaDeviceSynchronize());
  std::memset(host.get(), 1, kBytes);
  call(cudaMemcpyAsync(in.get(), host.get(), kBytes, cudaMemcpyHostToDevice, copies));
  call(cudaEventRecord(copied, copies));
  if (event) call(cudaStreamWaitEvent(compute, copied));
  kernel(compute, in, out);
  call(cudaMemcpyAsync(host.get(), out.get(), kBytes, cudaMemcpyDeviceToHost, compute));
  if (wait) call(cudaStreamSynchronize(compute));
  require(host.get()[kBytes - 1] == std::byte{1} || !event, "result");
  call(cudaDeviceSynchronize());
}

TEST(HostDefects, NoneIsReportedInACorrectProgram) {
  expect_clean([] { pipeline(true, true); });
}

TEST(HostDefects, MissingEvent) {
  expect_reported("stream-race", [] { pipeline(false, true); });
}

TEST(HostDefects, MissingWaitBeforeReadingAResult) {
  expect_reported(
      "missing-wait", [] { pipeline(true, false); }, 86);
}

TEST(HostDefects, PinnedBufferReusedWhileItIsCopied) {
  expect_reported(
      "missing-wait",
      [] {
        Memory host(Memory::pinned, kBytes), device(Memory::device, kBytes);
        Stream stream;
        std::memset(host.get(), 1, kBytes);
        call(cudaMemcpyAsync(device.get(), host.get(), kBytes, cudaMemcpyHostToDevice, stream));
        require(host.get()[0] == std::byte{1}, "reading what is copied is legal");
        std::memset(host.get(), 2, kBytes);
      },
      86);
}

TEST(HostDefects, ResultOfAKernelInPinnedMemoryReadTooSoon) {
  const auto read_result = [](bool wait) {
    Memory result(Memory::pinned, 8);
    Stream stream;
    *result.as<int>() = 0;
    submit(stream, "kernel", [&](Operation& operation) { std::memset(operation.write(result.get(), 8), 1, 8); });
    if (wait) call(cudaStreamSynchronize(stream));
    require(*result.as<int>() == 0x01010101, "result");
  };
  expect_clean([&] { read_result(true); });
  expect_reported(
      "missing-wait", schedule("eager"), [&] { read_result(false); }, 86);
  EXPECT_EQ(run_in_child(schedule("lazy"), [&] { read_result(false); }).status, EXIT_FAILURE) << "a wrong result";
}

TEST(HostDefects, EarlyFree) {
  expect_reported("early-free", [] {
    Stream stream;
    Memory device(Memory::device, kBytes);
    call(cudaMemsetAsync(device.get(), 0, kBytes, stream));
  });
}

TEST(HostDefects, EarlyFreeOfPinnedMemory) {
  expect_reported("early-free", [] {
    Memory device(Memory::device, kBytes);
    Stream stream;
    {
      Memory host(Memory::pinned, kBytes);
      cudaMemcpyAsync(device.get(), host.get(), kBytes, cudaMemcpyHostToDevice, stream);
    }
    cudaStreamSynchronize(stream);
    std::exit(0);  // the context may have failed
  });
}

TEST(HostDefects, UseAfterFree) {
  expect_reported("use-after-free", [] {
    void* p = nullptr;
    call(cudaMalloc(&p, kBytes));
    call(cudaFree(p));
    cudaMemset(p, 0, kBytes);
    cudaDeviceSynchronize();
  });
}

TEST(HostDefects, WorkspaceSharedByTwoStreams) {
  expect_reported("stream-race", [] {
    Memory workspace(Memory::device, kBytes);
    Stream a, b;
    for (cudaStream_t stream : {cudaStream_t(a), cudaStream_t(b)})
      submit(stream, "matmul", [&](Operation& operation) { operation.write(workspace.get(), kBytes); });
    call(cudaDeviceSynchronize());
  });
}

TEST(HostDefects, DoubleFree) {
  expect_reported("invalid-free", [] {
    void* p = nullptr;
    call(cudaMalloc(&p, kBytes));
    call(cudaFree(p));
    expect_error(cudaErrorInvalidValue, cudaFree(p));
  });
}

TEST(HostDefects, FreeOfTheWrongKindOrInTheMiddle) {
  expect_reported("invalid-free", [] {
    Memory pinned(Memory::pinned, kBytes);
    expect_error(cudaErrorInvalidValue, cudaFree(pinned.get()));
  });
  expect_reported("invalid-free", [] {
    Memory device(Memory::device, kBytes);
    expect_error(cudaErrorInvalidValue, cudaFree(device.get(256)));
  });
}

TEST(HostDefects, HostTouchesDeviceMemory) {
  expect_reported(
      "host-access",
      [] {
        Memory device(Memory::device, kBytes);
        device.get()[5] = std::byte{1};
      },
      86);
}

TEST(HostDefects, HostTouchesFreedPinnedMemory) {
  expect_reported(
      "use-after-free",
      [] {
        void* p = nullptr;
        call(cudaMallocHost(&p, kBytes));
        call(cudaFreeHost(p));
        *static_cast<volatile char*>(p) = 1;
      },
      86);
}

TEST(HostDefects, Leaks) {
  expect_reported("leak", [] {
    void* p = nullptr;
    call(cudaMalloc(&p, kBytes));
  });
  expect_reported("leak", [] {
    void* p = nullptr;
    call(cudaMallocHost(&p, kBytes));
  });
  expect_reported("leak", [] {
    cudaStream_t stream = nullptr;
    call(cudaStreamCreate(&stream));
  });
  expect_reported("leak", [] {
    cudaEvent_t event = nullptr;
    call(cudaEventCreate(&event));
  });
}

TEST(HostDefects, LeaksOfAProgramThatFailsAreItsOwnAffair) {
  const auto leave = [](int status) {
    void* p = nullptr;
    call(cudaMalloc(&p, kBytes));
    std::exit(status);
  };
  EXPECT_EQ(run_in_child({}, [&] { leave(70); }).status, 70);
  EXPECT_EQ(run_in_child({{"SOFTWARE_GPU_LEAKS", "0"}}, [&] { leave(0); }).status, 0);
}

TEST(HostDefects, PageableCopyWhereOnlyPinnedOnesAreWanted) {
  const auto copy = [] {
    Memory device(Memory::device, kBytes);
    Stream stream;
    std::vector<char> host(kBytes, 1), back(kBytes);
    call(cudaMemcpyAsync(device.get(), host.data(), kBytes, cudaMemcpyHostToDevice, stream));
    host.assign(kBytes, 2);  // staged before the call returned
    call(cudaMemcpyAsync(back.data(), device.get(), kBytes, cudaMemcpyDeviceToHost, stream));
    require(back == std::vector<char>(kBytes, 1), "copied when the call returned");
  };
  expect_clean(copy);
  expect_reported("pageable-copy", {{"SOFTWARE_GPU_PAGEABLE", "0"}}, copy);
}

TEST(HostDefects, KernelGivenPageableMemory) {
  expect_reported("illegal-address", [] {
    std::vector<char> host(kBytes);
    submit(nullptr, "kernel", [&](Operation& operation) { operation.read(host.data(), kBytes); });
    cudaDeviceSynchronize();
  });
}

TEST(HostDefects, DestroyedStream) {
  expect_reported("destroyed-stream", [] {
    Memory device(Memory::device, kBytes);
    cudaStream_t stream = nullptr;
    call(cudaStreamCreate(&stream));
    call(cudaStreamDestroy(stream));
    expect_error(cudaErrorInvalidResourceHandle, cudaMemsetAsync(device.get(), 0, kBytes, stream));
  });
}

TEST(HostDefects, DestroyedEvent) {
  expect_reported("destroyed-event", [] {
    cudaEvent_t event = nullptr;
    call(cudaEventCreate(&event));
    call(cudaEventDestroy(event));
    expect_error(cudaErrorInvalidResourceHandle, cudaEventRecord(event, nullptr));
  });
}

TEST(HostDefects, HandleThatIsNone) {
  expect_reported("invalid-handle", [] {
    int something = 0;
    expect_error(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(&something)));
  });
}

TEST(HostDefects, WaitForAnEventNeverRecorded) {
  expect_reported("unrecorded-event", [] {
    Stream stream;
    Event event;
    call(cudaStreamWaitEvent(stream, event));
  });
  expect_reported("unrecorded-event", [] {
    Event event;
    call(cudaEventSynchronize(event));
  });
}

TEST(HostDefects, CopyInTheWrongDirection) {
  expect_reported("wrong-direction", [] {
    Memory device(Memory::device, kBytes), pinned(Memory::pinned, kBytes);
    expect_error(cudaErrorInvalidValue, cudaMemcpy(device.get(), pinned.get(), kBytes, cudaMemcpyDeviceToHost));
  });
}

TEST(HostDefects, CopyPastTheEnd) {
  expect_reported("out-of-bounds", [] {
    Memory device(Memory::device, kBytes), pinned(Memory::pinned, 2 * kBytes);
    cudaMemcpy(device.get(), pinned.get(), kBytes + 1, cudaMemcpyHostToDevice);
    std::exit(0);
  });
}

TEST(HostDefects, CopyOfWhatNothingHasWritten) {
  expect_reported("uninitialised-read", [] {
    Memory device(Memory::device, kBytes), pinned(Memory::pinned, kBytes);
    call(cudaMemcpy(pinned.get(), device.get(), kBytes, cudaMemcpyDeviceToHost));
  });
}

TEST(HostDefects, HostFunctionThatCallsCuda) {
  expect_reported("cuda-in-host-function", [] {
    call(cudaLaunchHostFunc(
        nullptr, [](void*) { expect_error(cudaErrorNotPermitted, cudaDeviceSynchronize()); }, nullptr));
    cudaDeviceSynchronize();
  });
}

TEST(HostDefects, EventOfAnotherDevice) {
  expect_reported("wrong-device", [] {
    Event event;
    call(cudaSetDevice(1));
    Stream stream;
    expect_error(cudaErrorInvalidResourceHandle, cudaEventRecord(event, stream));
  });
}

TEST(HostDefects, OneInALoopDoesNotHideAnother) {
  const Outcome outcome = run_in_child({}, [] {
    for (int i = 0; i < 20; ++i) cudaFree(reinterpret_cast<void*>(64));
    Event event;
    cudaEventSynchronize(event);
  });
  EXPECT_EQ(outcome.status, 87);
  std::size_t lines = 0;
  for (auto at = outcome.errors.find("invalid-free"); at != std::string::npos;
       at = outcome.errors.find("invalid-free", at + 1))
    ++lines;
  EXPECT_EQ(lines, 3u);
  EXPECT_NE(outcome.errors.find("unrecorded-event"), std::string::npos);
  EXPECT_NE(outcome.errors.find("software GPU: 21 defect(s) reported\n"), std::string::npos);
}

}  // namespace
}  // namespace software_gpu
