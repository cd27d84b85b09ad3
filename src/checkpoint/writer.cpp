// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/writer.hpp"

#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "src/checkpoint/folder.hpp"
#include "src/checkpoint/posix_file.hpp"
#include "src/core/copy.hpp"
#include "src/core/log.hpp"

namespace mpdist::checkpoint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A tenth of the weight of a computing thread on the same CPU. Not SCHED_IDLE: the last save is waited for, and beside
/// ranks that poll MPI an idle thread would never finish. On Linux the calling thread alone is meant.
void lower_priority() {
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10);
}

/// Signals asked to stop the run belong to the thread that trains; a new thread inherits the mask of its maker.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

/// The new checkpoint is safe whether or not the old ones could be removed.
void prune_or_warn(const std::string& folder, std::int64_t keep) {
  try {
    prune(folder, keep);
  } catch (const std::exception& error) {
    log::warn("old checkpoints stay: {}", error.what());
  }
}

}  // namespace

Writer::~Writer() {
  wait_written();
}

void Writer::begin(Checkpoint live, std::string path) {
  wait_written();
  if (const auto error = take_error()) log::warn("{}", *error);  // nobody asked: it must not go unsaid
  {
    const std::lock_guard lock(mutex_);
    copied_ = false;
    running_ = true;
    written_.reset();
  }
  const BlockedSignals blocked;
  // A thread per save: it copies at the trainer's priority and lowers its own for good, which an ordinary user cannot
  // undo.
  try {
    thread_ = std::thread([this, live = std::move(live), path = std::move(path)]() mutable { save(live, path); });
  } catch (const std::system_error& error) {
    finish(fmt::format("no thread for this save: {}", error.what()), std::nullopt);
  }
}

void Writer::wait_copied() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return copied_; });
}

void Writer::wait_written() {
  if (thread_.joinable()) thread_.join();
}

bool Writer::busy() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::optional<std::string> Writer::take_error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, std::nullopt);
}

std::optional<Written> Writer::take_written() {
  const std::lock_guard lock(mutex_);
  return std::exchange(written_, std::nullopt);
}

void Writer::save(Checkpoint& live, const std::string& path) {
  const Clock::time_point start = Clock::now();
  try {
    Written written{.path = path};
    copy(live);
    live = {};
    written.copy_s = seconds_since(start);
    {
      const std::lock_guard lock(mutex_);
      copied_ = true;
    }
    changed_.notify_all();
    lower_priority();
    write(path, snapshot_);
    if (keep_ > 0) prune_or_warn(folder_of(path), keep_);
    for (const NamedTensor& tensor : snapshot_.tensors)
      written.bytes += static_cast<std::int64_t>(tensor.values.bytes());
    written.write_s = seconds_since(start) - written.copy_s;
    finish(std::nullopt, std::move(written));
  } catch (const std::exception& error) {
    finish(error.what(), std::nullopt);
  }
}

void Writer::copy(const Checkpoint& live) {
  std::vector<NamedTensor> buffers = std::move(snapshot_.tensors);
  snapshot_ = {{}, live.integers, live.reals, live.texts};
  buffers.resize(live.tensors.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const NamedTensor& source = live.tensors[i];
    Tensor& buffer = buffers[i].values;
    if (!buffer || !(buffer.shape() == source.values.shape())) {
      buffer = Tensor(source.values.shape(), DType::fp32, MemoryKind::checkpoint, copies_.host_pool());
    }
    buffers[i].path = source.path;
    mpdist::copy(copies_, source.values, buffer);
  }
  copies_.synchronize();
  snapshot_.tensors = std::move(buffers);
}

void Writer::finish(std::optional<std::string> error, std::optional<Written> written) {
  {
    const std::lock_guard lock(mutex_);
    copied_ = true;
    running_ = false;
    error_ = std::move(error);
    written_ = std::move(written);
  }
  changed_.notify_all();
}

}  // namespace mpdist::checkpoint
