// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/stream.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "tests/software_gpu/core/context.hpp"
#include "tests/software_gpu/core/scheduler.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/statistics.hpp"

namespace software_gpu {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kTick = 5ms;
constexpr auto kIdle = 10ms;  // without a call for so long, the host is elsewhere

std::atomic<SteadyClock::time_point> last_call{SteadyClock::time_point{}};

/// A GPU goes on while the host computes or waits in MPI. Here that is what other processes wait for, and all else only
/// when the host has been away for long.
void run_in_background() {
  for (;;) {
    std::this_thread::sleep_for(kTick);
    for (;;) {
      const auto idle = SteadyClock::now() - last_call.load();
      if (idle < kIdle || !mutex().try_lock()) break;
      auto& scheduler = Scheduler::instance();
      const bool ran = idle > kLongAway ? scheduler.advance_any() : scheduler.advance_for_peers();
      mutex().unlock();
      if (!ran) break;
    }
  }
}

void note_call() {
  last_call = SteadyClock::now();
  static const bool kStarted = (std::thread(run_in_background).detach(), true);
  (void)kStarted;
}

}  // namespace

OperationPtr enqueue(CUstream_st& stream, std::string name, std::function<void(Operation&)> run,
                     std::vector<OperationPtr> after, std::function<bool()> ready) {
  std::lock_guard lock(mutex());
  use_device(stream.device);
  note_call();
  count("operation " + name);
  OperationPtr operation =
      Scheduler::instance().append(stream, std::move(name), std::move(after), std::move(run), std::move(ready));
  nudge();
  return operation;
}

OperationPtr submit(cudaStream_t stream, std::string name, std::function<void(Operation&)> run,
                    std::function<bool()> ready) {
  std::lock_guard lock(mutex());
  CUstream_st* const s = Scheduler::instance().resolve(stream, name);
  return s != nullptr ? enqueue(*s, std::move(name), std::move(run), {}, std::move(ready)) : nullptr;
}

void wait(const OperationPtr& operation) {
  std::lock_guard lock(mutex());
  count("host waits");
  note_call();
  Scheduler::instance().wait(operation);
  note_call();
}

void wait_device(int device) {
  std::lock_guard lock(mutex());
  count("host waits");
  auto& scheduler = Scheduler::instance();
  for (std::size_t i = 0; i < scheduler.streams().size(); ++i) {  // other threads may add streams meanwhile
    const CUstream_st& stream = *scheduler.streams()[i];
    if (stream.device == device) scheduler.wait(OperationPtr(stream.tail));
  }
  note_call();
}

void wait_all() {
  std::lock_guard lock(mutex());
  for (std::size_t device = 0; device < settings().devices.size(); ++device) wait_device(static_cast<int>(device));
}

void nudge() {
  std::lock_guard lock(mutex());
  auto& scheduler = Scheduler::instance();
  switch (settings().schedule) {
    case Schedule::lazy:
      return;
    case Schedule::eager:
      while (scheduler.advance_any()) continue;
      return;
    case Schedule::random:
      for (auto runs = scheduler.random()() % 3; runs > 0 && scheduler.advance_any(); --runs) continue;
  }
}

bool query(const OperationPtr& operation) {
  std::lock_guard lock(mutex());
  note_call();
  return Scheduler::instance().query(operation);
}

std::mt19937_64& random() {
  return Scheduler::instance().random();
}

int& current_device() {
  static thread_local int device = 0;
  return device;
}

}  // namespace software_gpu
