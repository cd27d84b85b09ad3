// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/software_gpu/core/clock.hpp"
#include "tests/software_gpu/core/memory.hpp"

namespace software_gpu {

class Scheduler;

/// The marks of the running operation in one allocation, for callers that check bounds and life themselves once for
/// many accesses (the PTX executor). Offsets count from the allocation's base; ranges must lie within its size.
class Footprint {
 public:
  explicit Footprint(Allocation& allocation)
      : bytes(allocation.bytes), shadow(allocation.shadow), size(allocation.size), dirty_(allocation.dirty) {}

  /// Marks the bytes as read; returns whether all of them have ever been written.
  bool mark_read(std::size_t offset, std::size_t count) const {
    touch(offset, count);
    std::uint8_t* const marks = shadow + offset;  // a local: stores to it cannot change where it points
    std::uint8_t all = kInitialised;
    for (std::size_t i = 0; i < count; ++i) {
      all &= marks[i];
      marks[i] |= kRead;
    }
    return (all & kInitialised) != 0;
  }
  /// Marks the bytes as written, and so as initialised.
  void mark_written(std::size_t offset, std::size_t count) const {
    touch(offset, count);
    std::uint8_t* const marks = shadow + offset;
    for (std::size_t i = 0; i < count; ++i) marks[i] |= kWritten | kInitialised;
  }

  std::byte* bytes;      ///< of the allocation, offset 0
  std::uint8_t* shadow;  ///< of the allocation, offset 0; who sets kRead or kWritten itself must call touch
  std::size_t size;

  /// Says that [offset, offset + count) of the shadow holds marks of this operation.
  void touch(std::size_t offset, std::size_t count) const {
    if (count == 0) return;
    const std::size_t last = (offset + count - 1) >> kDirtyShift;
    for (std::size_t block = offset >> kDirtyShift; block <= last; ++block) dirty_[block] = 1;
  }

 private:
  std::uint8_t* dirty_;
};

/// One operation of a stream: submitted now, run later, one at a time, when all that it depends on is done.
class Operation {
 public:
  /// Name, number and stream, for reports: "adamw_step_kernel #12 on stream 2".
  const std::string& name() const { return epoch_->who; }
  std::uint64_t id() const { return id_; }
  int device() const { return device_; }
  bool done() const { return done_; }
  const EpochPtr& epoch() const { return epoch_; }

  /// Checked access to [p, p + bytes), which must lie in one live allocation that this operation's device may access.
  /// Returns where the bytes really are, valid until the operation ends; the footprint is kept for the stream-race
  /// check. Otherwise reports (illegal-address, out-of-bounds, use-after-free, early-free) and returns scratch memory.
  const std::byte* read(const void* p, std::size_t bytes, bool must_be_initialised = true);
  std::byte* write(void* p, std::size_t bytes);
  /// Reads and writes, with overlap allowed; uninitialised device bytes stay so in their copy on a device.
  void copy(void* to, const void* from, std::size_t bytes);

  /// Whether the operation may access the allocation: alive, and of its device. Reports when not; `p` and `what`
  /// ("reads through") are for the report.
  bool may_access(const Allocation& allocation, const void* p, std::string_view what);
  /// The marks in an allocation that may be accessed, for callers that check the bounds themselves; valid until the
  /// operation ends.
  Footprint footprint(Allocation& allocation);

 private:
  friend class Scheduler;
  Allocation* check(const void* p, std::size_t bytes, std::string_view what);
  void remember(Allocation& allocation);
  std::byte* scratch(std::size_t bytes);

  std::uint64_t id_ = 0;
  int device_ = 0;
  bool done_ = false;
  bool queried_ = false;
  Clock clock_;
  EpochPtr epoch_;
  std::function<void(Operation&)> run_;
  std::function<bool()> ready_;
  std::vector<std::shared_ptr<Operation>> dependencies_;
  std::vector<Allocation*> touched_;
  std::deque<std::vector<std::byte>> scratch_;
};

using OperationPtr = std::shared_ptr<Operation>;

}  // namespace software_gpu
