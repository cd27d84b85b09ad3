// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace software_gpu::ptx {

/// Who touched some bytes last: thread of the block (10 bits), flags, and the interval in which it did (20 bits). An
/// interval is a stretch of a launch in which nothing orders the accesses of different threads; intervals are numbered
/// as they begin, and blocks run one after the other, so those of one block stand together. 0: nobody.
using Stamp = std::uint32_t;
inline constexpr Stamp kThreadBits = 0x3FF;
inline constexpr Stamp kManyLanes = 0x400;  ///< of reads: by several lanes of one warp
inline constexpr Stamp kManyWarps = 0x800;  ///< of reads: by several warps of one block
inline constexpr Stamp kAtomic = 0x800;     ///< of writes
inline constexpr int kIntervalShift = 12;
inline constexpr Stamp kManyBlocks = ~Stamp{0};  ///< of reads
inline constexpr std::uint32_t kLastInterval = (1u << (32 - kIntervalShift)) - 2;

struct Interval {
  std::uint32_t block = 0;
  std::uint32_t barrier = 0;          ///< barriers of the block before it
  std::uint32_t synchronisation = 0;  ///< synchronisations of the warp since that barrier
};

/// The intervals of a launch, and what orders blocks: a block that adds to a counter atomically after a fence publishes
/// what it did before; a block that then uses the same counter atomically sees it.
class Intervals {
 public:
  Intervals() { restart(); }
  /// Forgets all; stamps given out before mean nothing any more.
  void restart();
  bool nearly_full() const { return intervals_.size() > kLastInterval / 2; }
  std::uint32_t begin(const Interval& interval);
  const Interval& operator[](std::uint32_t number) const { return intervals_[number]; }
  std::uint32_t newest() const { return static_cast<std::uint32_t>(intervals_.size() - 1); }

  void fence(std::uint32_t block);
  void atomic(std::uint32_t block, std::uint64_t address);

  /// Whether everything that `earlier` stands for is ordered before what `now` does.
  bool ordered(Stamp earlier, Stamp now) const;

 private:
  struct Release {
    std::uint32_t block, interval;
  };
  struct Acquisition {
    std::uint64_t address;
    std::size_t count;
  };
  bool published(Stamp earlier, std::uint32_t block) const;

  std::vector<Interval> intervals_;
  std::uint32_t fenced_block_ = 0, fenced_interval_ = 0;
  std::unordered_map<std::uint64_t, std::vector<Release>> releases_;
  std::uint32_t acquiring_block_ = 0;
  std::vector<Acquisition> acquisitions_;
};

/// The stamps of a stretch of memory, one pair for each granule of 4, 2 or 1 bytes.
struct Cells {
  int shift = 2;  ///< log2 of the granule
  std::vector<Stamp> write, read;

  void reset(std::size_t bytes);
  /// Makes the granule small enough for accesses of `bytes` bytes.
  void refine(std::size_t bytes) {
    if (shift > 0 && bytes < std::size_t{1} << shift) split(bytes);
  }

 private:
  void split(std::size_t bytes);
};

enum class AccessKind : std::uint8_t { read, write, atomic };

/// Consecutive lanes that access adjoining bytes of one Cells.
struct CellAccess {
  std::size_t offset = 0;  ///< in bytes, of the first lane
  std::size_t bytes = 0;   ///< a lane
  int lanes = 1;
  Stamp stamp = 0;  ///< of the first lane; the others follow
  AccessKind kind = AccessKind::read;
  bool shared_address = false;  ///< all lanes read the bytes of the first
  Stamp block_floor = 0;        ///< stamps of this block ...
  Stamp barrier_floor = 0;      ///< ... before its last barrier are ordered and lie in [block_floor, barrier_floor)
  Stamp oldest = 0;             ///< what is below stems from another use of the memory
  const std::byte* before = nullptr;  ///< of writes: what stands there, and what comes; equal values do not race
  const std::byte* after = nullptr;
};

struct Conflict {
  Stamp earlier = 0;  ///< 0: none
  int lane = 0;       ///< counted from the first
  bool with_write = false;
};

/// Notes the access in the cells; returns the first conflict with an earlier one.
Conflict note_access(Cells& cells, const CellAccess& access, const Intervals& intervals);

}  // namespace software_gpu::ptx
