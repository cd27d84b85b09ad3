// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "src/core/pool.hpp"

namespace mpdist {

class Stream;

/// A place in the order of a stream. On the CPU, where a kernel has finished when its call returns, all of it is
/// nothing.
class Event {
 public:
  /// A `timed` one can be asked how long it took.
  explicit Event(Device device, bool timed = false);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(const Stream& stream);
  /// Returns when what was enqueued before record() has finished; at once where nothing was recorded.
  void synchronize() const;
  bool happened() const;  ///< whether synchronize() would return at once
  /// Between two timed events of a GPU that have both happened.
  double seconds_since(const Event& earlier) const;
  void* handle() const { return handle_; }  ///< cudaEvent_t; null on the CPU

 private:
  friend class Stream;
  void* handle_ = nullptr;
  bool recorded_ = false;  ///< on a GPU
};

/// An ordered queue of kernels with one workspace. On the CPU a kernel has finished when its call returns; on a GPU it
/// has been enqueued, and what it writes may be read on the host after synchronize(). One thread at a time.
class Stream {
 public:
  /// `pool` decides the device: Pool::cuda() makes a stream of the GPU in use.
  explicit Stream(Pool& pool = Pool::host());
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Device device() const { return pool_->device(); }
  Pool& pool() const { return *pool_; }
  /// Memory that the host and this stream's kernels both read and write: results, staging.
  Pool& host_pool() const { return pool_->host_side(); }
  void* handle() const { return handle_; }  ///< cudaStream_t; null on the CPU

  /// Returns when all that was enqueued has finished.
  void synchronize() const;
  /// What is enqueued from now on runs after what `event` recorded.
  void wait(const Event& event) const;

  /// Scratch memory of at least `bytes`, 64-byte aligned, for kernels of this stream; valid until the next call on it.
  /// Grows, never shrinks.
  void* workspace(std::size_t bytes);

 private:
  Pool* pool_;
  BlockRef block_;
  void* handle_ = nullptr;
};

}  // namespace mpdist
