// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tests/software_gpu/core/context.hpp"
#include "tests/software_gpu/core/host_access.hpp"
#include "tests/software_gpu/core/mutex.hpp"
#include "tests/software_gpu/core/races.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/stream.hpp"

std::string CUstream_st::describe() const {
  return legacy ? "the legacy stream" : "stream " + std::to_string(timeline);
}

namespace software_gpu {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// How long a lazy wait stays lazy when what it needs is not ready: another process may wait for what it does not need.
constexpr std::chrono::milliseconds kPatience{2};

}  // namespace

Scheduler::Scheduler() : random_(settings().seed) {}

Scheduler& Scheduler::instance() {
  static auto* const kScheduler = new Scheduler;
  return *kScheduler;
}

cudaStream_t Scheduler::create_stream(int device, unsigned flags, int priority) {
  auto stream = std::make_unique<CUstream_st>();
  stream->device = device;
  stream->timeline = streams_.size();
  stream->flags = flags;
  stream->priority = priority;
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

CUstream_st& Scheduler::legacy_stream(int device) {
  CUstream_st*& stream = legacy_[device];
  if (stream == nullptr) {
    stream = create_stream(device, cudaStreamDefault, 0);
    stream->legacy = true;
  }
  return *stream;
}

CUstream_st* Scheduler::resolve(cudaStream_t handle, std::string_view caller) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &legacy_stream(current_device());
  if (handle == cudaStreamPerThread) unsupported("cudaStreamPerThread");
  const auto known = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s.get() == handle; });
  if (known == streams_.end()) {
    report("invalid-handle", std::string(caller) + ": " + hexadecimal(handle) + " is no stream");
    return nullptr;
  }
  if ((*known)->destroyed) {
    report("destroyed-stream", std::string(caller) + ": " + (*known)->describe() + " is destroyed");
    return nullptr;
  }
  return known->get();
}

OperationPtr Scheduler::append(CUstream_st& stream, std::string name, std::vector<OperationPtr> after,
                               std::function<void(Operation&)> run, std::function<bool()> ready) {
  auto operation = std::make_shared<Operation>();
  operation->id_ = ++last_id_;
  operation->device_ = stream.device;
  operation->run_ = std::move(run);
  operation->ready_ = std::move(ready);
  operation->dependencies_ = std::move(after);
  const auto depend = [&](const CUstream_st& s) {
    if (s.tail != nullptr) operation->dependencies_.push_back(s.tail);
  };
  depend(stream);
  const bool blocking = (stream.flags & cudaStreamNonBlocking) == 0;
  // A legacy operation comes after all earlier ones of blocking streams, and they come after it.
  for (const auto& other : streams_) {
    const bool ordered = other.get() != &stream && other->device == stream.device && blocking &&
                         (other->flags & cudaStreamNonBlocking) == 0 && (stream.legacy || other->legacy);
    if (ordered) depend(*other);
  }
  operation->clock_ = host_clock_;
  for (const OperationPtr& dependency : operation->dependencies_) operation->clock_.join(dependency->clock_);
  std::erase_if(operation->dependencies_, [](const OperationPtr& d) { return d->done_; });
  operation->clock_.set(stream.timeline, ++stream.last_tick);
  name += " #" + std::to_string(operation->id_) + " on " + stream.describe();
  operation->epoch_ = std::make_shared<Epoch>(Epoch{stream.timeline, stream.last_tick, std::move(name)});
  stream.tail = operation;
  stream.pending.push_back(operation);
  return operation;
}

bool Scheduler::can_run(const Operation& operation) const {
  const auto& dependencies = operation.dependencies_;
  if (!std::all_of(dependencies.begin(), dependencies.end(), [](const OperationPtr& d) { return d->done_; }))
    return false;
  return context_error() != cudaSuccess || !operation.ready_ || operation.ready_();
}

std::vector<CUstream_st*> Scheduler::runnable() const {
  std::vector<CUstream_st*> result;
  for (const auto& stream : streams_) {
    if (!stream->pending.empty() && can_run(*stream->pending.front())) result.push_back(stream.get());
  }
  return result;
}

/// The stream whose head must run first for `target` to be done: down the first undone dependency of each head.
CUstream_st* Scheduler::needed_first(const Operation& target) const {
  const Operation* operation = &target;
  for (;;) {
    CUstream_st* const stream = streams_[operation->epoch_->timeline].get();
    operation = stream->pending.front().get();
    const auto& dependencies = operation->dependencies_;
    const auto undone =
        std::find_if(dependencies.begin(), dependencies.end(), [](const OperationPtr& d) { return !d->done_; });
    if (undone == dependencies.end()) return stream;
    operation = undone->get();
  }
}

bool Scheduler::advance_towards(const Operation& target) {
  CUstream_st* const stream = needed_first(target);
  if (!can_run(*stream->pending.front())) return false;
  run_head(*stream);
  return true;
}

bool Scheduler::advance(const Operation& target) {
  return settings().schedule == Schedule::lazy ? advance_towards(target) : advance_any();
}

bool Scheduler::advance_any() {
  const std::vector<CUstream_st*> candidates = runnable();
  if (candidates.empty()) return false;
  if (settings().schedule == Schedule::random) {
    run_head(*candidates[random_() % candidates.size()]);
    return true;
  }
  run_head(**std::min_element(candidates.begin(), candidates.end(), [](const CUstream_st* a, const CUstream_st* b) {
    return a->pending.front()->id() < b->pending.front()->id();
  }));
  return true;
}

bool Scheduler::advance_for_peers() {
  for (const auto& stream : streams_) {
    const auto& pending = stream->pending;
    const auto peer =
        std::find_if(pending.begin(), pending.end(), [](const OperationPtr& o) { return bool(o->ready_); });
    if (peer != pending.end() && advance_towards(**peer)) return true;
  }
  return false;
}

void Scheduler::run_head(CUstream_st& stream) {
  const OperationPtr operation = stream.pending.front();
  if (settings().trace) note("run " + operation->name());
  if (context_error() == cudaSuccess) operation->run_(*operation);
  finish(*operation);
  stream.pending.pop_front();
}

void Scheduler::finish(Operation& operation) {
  for (Allocation* const allocation : operation.touched_) check_races(*allocation, operation.epoch_, operation.clock_);
  operation.touched_.clear();
  operation.scratch_.clear();
  operation.dependencies_.clear();
  operation.run_ = nullptr;
  operation.ready_ = nullptr;
  operation.done_ = true;
}

void Scheduler::saw(const Operation& operation) {
  host_clock_.join(operation.clock_);
  end_in_flight(host_clock_);
}

void Scheduler::wait(const OperationPtr& operation) {
  if (operation == nullptr) return;
  auto progress = SteadyClock::now();
  while (!operation->done_) {
    const auto stalled = SteadyClock::now() - progress;
    if (advance(*operation) || (stalled > kPatience && advance_for_peers()) || (stalled > kLongAway && advance_any())) {
      progress = SteadyClock::now();
      continue;
    }
    if (stalled > std::chrono::seconds(settings().timeout_s)) deadlock(*operation);
    mutex().let_others_run();
  }
  saw(*operation);
}

bool Scheduler::query(const OperationPtr& operation) {
  if (operation == nullptr) return true;
  if (!operation->done_) {
    // A lazy device answers the first query with "not yet" and goes on only for who asks again.
    if (settings().schedule != Schedule::lazy) {
      nudge();
    } else if (operation->queried_ && !advance(*operation)) {
      advance_for_peers();
    }
    operation->queried_ = true;
  }
  if (operation->done_) saw(*operation);
  return operation->done_;
}

void Scheduler::deadlock(const Operation& target) const {
  std::string what = "nothing can run while the host waits for " + target.name() + "; pending:";
  for (const auto& stream : streams_) {
    for (const OperationPtr& operation : stream->pending) what += " [" + operation->name() + "]";
  }
  stop(Status::deadlock, "deadlock", what);
}

bool& in_host_function() {
  static thread_local bool inside = false;
  return inside;
}

}  // namespace software_gpu
