// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/loader.hpp"
#include "src/core/stream.hpp"
#include "src/core/unwinding.hpp"

namespace mpdist::train {

/// Batches on their way from host memory to the device of a stream. On the CPU a batch is used where it lies. On a GPU
/// a stream of its own copies it into one of two buffers while the other is computed on:
///
///     upload.begin(batch);                    // in memory of stream.host_pool()
///     const data::Batch here = upload.take();
///     ... enqueue all that uses `here`; then, or before, begin() the next one ...
///
/// One batch at a time is begun and not yet taken; all have one shape.
class BatchUpload {
 public:
  explicit BatchUpload(Stream& compute);
  /// Waits for a copy that is under way, unless an exception unwinds.
  ~BatchUpload();
  BatchUpload(const BatchUpload&) = delete;
  BatchUpload& operator=(const BatchUpload&) = delete;

  /// Begins to copy; returns at once unless the copy two batches before is still under way.
  void begin(data::Batch batch);
  bool has_begun() const { return begun_; }
  /// The batch that begin() began, for what is enqueued on the compute stream from now on, until the next take(): what
  /// has been enqueued so far was the last use of the batch before.
  data::Batch take();

 private:
  /// A batch on both sides. Its events say who may touch the device side.
  struct Slot {
    explicit Slot(Device kind) : arrived(kind), free(kind) {}
    data::Batch host, device;
    Event arrived;  ///< on the copy stream: the copy is complete
    Event free;     ///< on the compute stream: nothing uses the device side any more
  };

  void make_room(Slot& slot, const data::Batch& batch);

  Stream& compute_;
  Stream copies_;
  Slot slots_[2];
  int next_ = 0;  ///< the slot that begin() fills
  bool begun_ = false;
  UnwindingCheck unwinding_;
};

}  // namespace mpdist::train
