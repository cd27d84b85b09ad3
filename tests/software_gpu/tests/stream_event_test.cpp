// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <thread>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu {
namespace {

using namespace testing;

/// An operation that writes the first byte of some memory; what reads and writes it must be ordered.
OperationPtr write(cudaStream_t stream, const Memory& memory) {
  return submit(stream, "write", [&](Operation& operation) { *operation.write(memory.get(), 1) = std::byte{1}; });
}
OperationPtr read(cudaStream_t stream, const Memory& memory) {
  return submit(stream, "read", [&](Operation& operation) { operation.read(memory.get(), 1); });
}

TEST(StreamEvent, AnEventOrdersTwoStreams) {
  expect_clean([] {
    Memory m(Memory::device, 1);
    Stream a, b;
    Event event;
    write(a, m);
    call(cudaEventRecord(event, a));
    call(cudaStreamWaitEvent(b, event));
    read(b, m);
    call(cudaStreamSynchronize(b));
  });
}

TEST(StreamEvent, AnEventStandsForWhatWasRecordedLastWhenTheWaitWasCalled) {
  const auto run = [](bool wait_after_second_record) {
    Memory m(Memory::device, 1);
    Stream a, b;
    Event event;
    call(cudaEventRecord(event, a));
    if (!wait_after_second_record) call(cudaStreamWaitEvent(b, event));
    write(a, m);
    call(cudaEventRecord(event, a));
    if (wait_after_second_record) call(cudaStreamWaitEvent(b, event));
    write(b, m);
    call(cudaDeviceSynchronize());
  };
  expect_clean([&] { run(true); });
  expect_reported("stream-race", [&] { run(false); });
}

TEST(StreamEvent, WaitingForAStreamWaitsForTheEventsThatItWaitsFor) {
  expect_clean([] {
    bool ran = false;
    Stream a, b;
    Event event;
    submit(a, "set", [&](Operation&) { ran = true; });
    call(cudaEventRecord(event, a));
    call(cudaStreamWaitEvent(b, event));
    call(cudaStreamSynchronize(b));
    require(ran, "the event's work is done");
  });
}

TEST(StreamEvent, BlockingStreamsAreOrderedWithTheLegacyStream) {
  expect_clean([] {
    Memory m(Memory::device, 1);
    Stream a(cudaStreamDefault), b(cudaStreamDefault);
    write(a, m);
    write(nullptr, m);
    write(b, m);
    call(cudaStreamSynchronize(nullptr));
    call(cudaStreamSynchronize(b));
  });
}

TEST(StreamEvent, NonBlockingStreamsAreNotOrderedWithTheLegacyStream) {
  expect_reported("stream-race", [] {
    Memory m(Memory::device, 1);
    Stream a;
    write(a, m);
    write(nullptr, m);
    call(cudaDeviceSynchronize());
  });
}

TEST(StreamEvent, AHostWaitOrdersLaterWork) {
  expect_clean([] {
    Memory m(Memory::device, 1);
    Stream a, b;
    write(a, m);
    call(cudaStreamSynchronize(a));
    write(b, m);
    while (cudaStreamQuery(b) == cudaErrorNotReady) continue;
    write(a, m);
    call(cudaDeviceSynchronize());
  });
}

TEST(StreamEvent, TimesNeedTwoFinishedRecordsWithTiming) {
  expect_clean([] {
    float ms = -1;
    Stream stream;
    Event first(cudaEventDefault), second(cudaEventDefault), without_timing;
    expect_error(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, first, second));
    call(cudaEventRecord(first, stream));
    submit(stream, "sleep", [](Operation&) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); });
    call(cudaEventRecord(second, stream));
    call(cudaEventRecord(without_timing, stream));
    call(cudaStreamSynchronize(stream));
    call(cudaEventElapsedTime(&ms, first, second));
    require(ms >= 3 && ms < 10000, std::to_string(ms));
    expect_error(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, first, without_timing));
  });
  expect_clean(schedule("lazy"), [] {
    float ms = -1;
    Stream stream;
    Event first(cudaEventDefault), second(cudaEventDefault);
    call(cudaEventRecord(first, stream));
    call(cudaEventRecord(second, stream));
    expect_error(cudaErrorNotReady, cudaEventElapsedTime(&ms, first, second));
    call(cudaStreamSynchronize(stream));
  });
}

TEST(StreamEvent, AnUnrecordedEventIsDone) {
  expect_clean([] {
    Event event;
    call(cudaEventQuery(event));
  });
}

TEST(StreamEvent, WhatIsPendingOutlivesItsStreamAndItsEvent) {
  expect_clean([] {
    bool ran = false;
    Stream other;
    {
      Stream stream;
      Event event;
      submit(stream, "set", [&](Operation&) { ran = true; });
      call(cudaEventRecord(event, stream));
      call(cudaStreamWaitEvent(other, event));
    }
    call(cudaStreamSynchronize(other));
    require(ran, "the work of the destroyed stream is done");
  });
}

TEST(StreamEvent, HostFunctionsRunInOrder) {
  expect_clean([] {
    int value = 1;
    Stream stream;
    call(cudaLaunchHostFunc(
        stream, [](void* p) { *static_cast<int*>(p) += 1; }, &value));
    call(cudaLaunchHostFunc(
        stream, [](void* p) { *static_cast<int*>(p) *= 10; }, &value));
    call(cudaStreamSynchronize(stream));
    require(value == 20, std::to_string(value));
  });
}

TEST(StreamEvent, PrioritiesAreClampedAndKept) {
  expect_clean([] {
    int least = -1, greatest = 1, priority = 1;
    unsigned flags = 0;
    cudaStream_t stream = nullptr;
    call(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    require(least == 0 && greatest < 0, "range");
    call(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest - 7));
    call(cudaStreamGetPriority(stream, &priority));
    call(cudaStreamGetFlags(stream, &flags));
    require(priority == greatest && flags == cudaStreamNonBlocking, std::to_string(priority));
    call(cudaStreamDestroy(stream));
  });
}

TEST(StreamEvent, StatisticsCountOperationsWaitsAndMemory) {
  Environment environment = schedule("random");
  environment["SOFTWARE_GPU_STATISTICS"] = "1";
  const Outcome outcome = run_in_child(environment, [] {
    Memory m(Memory::device, 1000);
    Stream stream;
    for (int i = 0; i < 3; ++i) call(cudaMemsetAsync(m.get(), i, 1000, stream));
    call(cudaStreamSynchronize(stream));
  });
  EXPECT_EQ(outcome.status, 0);
  for (const char* line : {"operation memset: 3\n", "host waits: 1\n", "peak bytes of device 0: 1000\n"})
    EXPECT_NE(outcome.errors.find(line), std::string::npos) << outcome.errors;
}

TEST(StreamEvent, ATraceNamesEachOperation) {
  Environment environment = schedule("eager");
  environment["SOFTWARE_GPU_TRACE"] = "1";
  const Outcome outcome = run_in_child(environment, [] {
    Memory m(Memory::device, 1);
    write(nullptr, m);
    call(cudaDeviceSynchronize());
  });
  EXPECT_NE(outcome.errors.find("software GPU: run write #1 on the legacy stream\n"), std::string::npos);
}

}  // namespace
}  // namespace software_gpu
