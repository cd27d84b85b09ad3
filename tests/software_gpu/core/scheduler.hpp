// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <driver_types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/software_gpu/core/clock.hpp"
#include "tests/software_gpu/core/operation.hpp"

/// What the program's cudaStream_t points to. Lives for ever, so that a destroyed stream is known as such.
struct CUstream_st {
  int device = 0;
  std::size_t timeline = 0;  ///< its component of the clocks; 0 is the first stream made
  unsigned flags = 0;        ///< cudaStreamNonBlocking, or ordered with the legacy stream
  int priority = 0;
  bool legacy = false;
  bool destroyed = false;
  std::uint64_t last_tick = 0;
  software_gpu::OperationPtr tail;                 ///< the last operation submitted
  std::deque<software_gpu::OperationPtr> pending;  ///< not done, in order

  std::string describe() const;
};

namespace software_gpu {

/// After this time without a call, or without progress in a wait, a device of any schedule does what it can.
inline constexpr std::chrono::seconds kLongAway{1};

/// All streams and the operations in them: a graph whose edges are stream order, events and the legacy stream. Runs one
/// operation at a time. Every function is called under mutex().
class Scheduler {
 public:
  static Scheduler& instance();

  cudaStream_t create_stream(int device, unsigned flags, int priority);
  /// The stream of a handle that the program passed; null, with a report, when it is none or destroyed.
  CUstream_st* resolve(cudaStream_t handle, std::string_view caller);
  CUstream_st& legacy_stream(int device);
  const std::vector<std::unique_ptr<CUstream_st>>& streams() const { return streams_; }

  /// Appends an operation that also comes after `after` (an event's), without running anything.
  OperationPtr append(CUstream_st& stream, std::string name, std::vector<OperationPtr> after,
                      std::function<void(Operation&)> run, std::function<bool()> ready);

  /// Runs one operation that can run; under the lazy schedule one that `target` needs. False when there is none.
  bool advance(const Operation& target);
  /// Runs one operation that can run, whatever the schedule.
  bool advance_any();
  /// Runs one operation that another process may wait for, or that such a one needs. No matter of chance, since when
  /// the host is slow enough for it depends on the machine: a seed decides the rest.
  bool advance_for_peers();
  void wait(const OperationPtr& operation);
  bool query(const OperationPtr& operation);

  /// What the host has waited for.
  const Clock& host_clock() const { return host_clock_; }
  std::uint64_t last_operation() const { return last_id_; }
  std::mt19937_64& random() { return random_; }

 private:
  Scheduler();
  std::vector<CUstream_st*> runnable() const;
  bool can_run(const Operation& operation) const;
  CUstream_st* needed_first(const Operation& target) const;
  bool advance_towards(const Operation& target);
  void run_head(CUstream_st& stream);
  void finish(Operation& operation);
  void saw(const Operation& operation);
  [[noreturn]] void deadlock(const Operation& target) const;

  std::vector<std::unique_ptr<CUstream_st>> streams_;
  std::map<int, CUstream_st*> legacy_;  // by device
  Clock host_clock_;
  std::uint64_t last_id_ = 0;
  std::mt19937_64 random_;
};

/// submit to a stream that was resolved, after these operations (events) as well.
OperationPtr enqueue(CUstream_st& stream, std::string name, std::function<void(Operation&)> run,
                     std::vector<OperationPtr> after = {}, std::function<bool()> ready = {});

/// Whether this thread runs a function of cudaLaunchHostFunc, which must not call CUDA.
bool& in_host_function();

}  // namespace software_gpu
