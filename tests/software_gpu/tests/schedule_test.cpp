// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu {
namespace {

using namespace testing;

/// An operation that appends a letter when it runs.
OperationPtr append(cudaStream_t stream, std::string& log, char letter) {
  return submit(stream, std::string("append ") + letter, [&log, letter](Operation&) { log += letter; });
}

TEST(Schedule, EagerRunsAtOnceInTheOrderOfSubmission) {
  expect_clean(schedule("eager"), [] {
    std::string log;
    Stream a, b;
    append(a, log, '1');
    require(log == "1", log);
    append(b, log, '2');
    append(a, log, '3');
    require(log == "123", log);
  });
}

TEST(Schedule, LazyRunsOnlyWhatAWaitNeeds) {
  expect_clean(schedule("lazy"), [] {
    std::string log;
    Stream a, b;
    Event event;
    append(a, log, '1');
    append(b, log, '2');
    call(cudaEventRecord(event, a));
    append(a, log, '3');
    require(log.empty(), log);
    call(cudaEventSynchronize(event));
    require(log == "1", log);
    call(cudaStreamSynchronize(b));
    require(log == "12", log);
    call(cudaDeviceSynchronize());
    require(log == "123", log);
  });
}

/// The order in which two streams of two operations ran; `order` is shared with the parent by the exit status.
std::string order_of(int seed) {
  const Outcome outcome = run_in_child(schedule("random", seed), [] {
    auto log = std::make_unique<std::string>();
    Stream a, b;
    append(a, *log, '1');
    append(a, *log, '2');
    append(b, *log, '3');
    append(b, *log, '4');
    call(cudaDeviceSynchronize());
    std::fprintf(stderr, "%s", log->c_str());
  });
  EXPECT_EQ(outcome.status, 0);
  return outcome.errors;
}

TEST(Schedule, RandomTriesManyLegalOrdersAndASeedFixesOne) {
  std::map<std::string, int> seen;
  for (int seed = 1; seed <= 30; ++seed) {
    const std::string order = order_of(seed);
    EXPECT_LT(order.find('1'), order.find('2'));
    EXPECT_LT(order.find('3'), order.find('4'));
    ++seen[order];
  }
  EXPECT_GE(seen.size(), 4u) << "of 6 possible ones";
  EXPECT_EQ(order_of(7), order_of(7));
}

TEST(Schedule, ALoopOfQueriesEnds) {
  expect_clean([] {
    std::string log;
    Stream a;
    Event event;
    append(a, log, '1');
    append(a, log, '2');
    call(cudaEventRecord(event, a));
    while (cudaEventQuery(event) == cudaErrorNotReady) continue;
    require(log == "12", log);
    append(a, log, '3');
    while (cudaStreamQuery(a) == cudaErrorNotReady) continue;
    require(log == "123", log);
    call(cudaGetLastError());  // "not ready" is no error
  });
}

TEST(Schedule, StreamsPolledInTurnBothEnd) {
  expect_clean([] {
    std::string log;
    Stream a, b;
    append(a, log, '1');
    append(b, log, '2');
    for (bool done = false; !done;) {
      const bool first = cudaStreamQuery(a) == cudaSuccess, second = cudaStreamQuery(b) == cudaSuccess;
      done = first && second;
    }
    require(log.size() == 2, log);
  });
}

TEST(Schedule, ALazyDeviceAnswersNotReadyFirst) {
  expect_clean(schedule("lazy"), [] {
    std::string log;
    Stream a;
    append(a, log, '1');
    expect_error(cudaErrorNotReady, cudaStreamQuery(a));
    call(cudaStreamSynchronize(a));
  });
}

TEST(Schedule, OtherProcessesAreServedWhileTheHostIsElsewhere) {
  expect_clean([] {
    std::atomic<bool> ran{false};
    std::string log;
    Stream a;
    append(a, log, '1');
    submit(
        a, "publish", [&](Operation&) { ran = true; }, [] { return true; });
    append(a, log, '2');
    for (int i = 0; i < 1000 && !ran; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    require(ran, "ran in the background");
    call(cudaStreamSynchronize(a));
    require(log == "12", log);
  });
}

TEST(Schedule, ALazyWaitLetsPeersHaveWhatItDoesNotNeedItself) {
  expect_clean([] {
    bool published = false;
    Stream a, b;
    submit(
        a, "publish", [&](Operation&) { published = true; }, [] { return true; });
    submit(
        b, "complete", [](Operation&) {}, [&] { return published; });  // as if a peer answered
    call(cudaStreamSynchronize(b));
    call(cudaStreamSynchronize(a));
  });
}

TEST(Schedule, AWaitingThreadLetsOthersCall) {
  expect_clean([] {
    std::atomic<bool> ready{false};
    Stream a;
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      { Memory m(Memory::device, 8); }
      ready = true;
    });
    submit(
        a, "complete", [](Operation&) {}, [&] { return ready.load(); });
    char c = 0;
    call(cudaMemcpyAsync(&c, &c, 1, cudaMemcpyHostToHost, a));  // waits, deep inside
    require(ready, "the other thread went on");
    other.join();
  });
}

TEST(Schedule, ThreadsWorkSideBySide) {
  expect_clean([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        Stream stream;
        Event event;
        Memory device(Memory::device, 4096), host(Memory::pinned, 4096);
        for (int i = 0; i < 20; ++i) {
          call(cudaMemsetAsync(device.get(), t + i, 4096, stream));
          call(cudaMemcpyAsync(host.get(), device.get(), 4096, cudaMemcpyDeviceToHost, stream));
          call(cudaEventRecord(event, stream));
          call(cudaEventSynchronize(event));
          require(host.get()[4095] == std::byte(t + i), "its own bytes");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
}

TEST(Schedule, AWaitThatNothingEndsIsADeadlock) {
  for (Environment environment : all_schedules()) {
    environment["SOFTWARE_GPU_TIMEOUT_S"] = "0";
    expect_reported(
        "deadlock", environment,
        [] {
          Stream a;
          submit(
              a, "ncclRecv", [](Operation&) {}, [] { return false; });
          call(cudaStreamSynchronize(a));
        },
        88);
  }
}

TEST(Schedule, WhatNobodyWaitsForIsCheckedAtExit) {
  expect_reported("illegal-address", schedule("lazy"), [] {
    static int on_host = 0;
    submit(nullptr, "kernel", [](Operation& operation) { operation.read(&on_host, sizeof on_host); });
  });
}

TEST(Schedule, ManyPendingOperationsAreNoBurden) {
  expect_clean([] {
    std::string log;
    Stream a, b;
    Event event;
    for (int i = 0; i < 5000; ++i) {
      cudaStream_t const on = i % 2 == 0 ? a : b, other = i % 2 == 0 ? b : a;
      append(on, log, 'x');
      call(cudaEventRecord(event, on));
      call(cudaStreamWaitEvent(other, event));
    }
    call(cudaStreamSynchronize(a));
    call(cudaStreamSynchronize(b));
    require(log.size() == 5000, "all ran");
  });
}

TEST(Schedule, UnknownSettingsStopTheProgram) {
  for (const auto& [name, value] : Environment{{"SOFTWARE_GPU_SCHEDULE", "fast"},
                                               {"SOFTWARE_GPU_SEED", "x"},
                                               {"SOFTWARE_GPU_DEVICES", "65"},
                                               {"SOFTWARE_GPU_TRACE", "2"}}) {
    expect_reported(
        "unsupported", {{name, value}}, [] { cudaDeviceSynchronize(); }, 89);
  }
}

}  // namespace
}  // namespace software_gpu
