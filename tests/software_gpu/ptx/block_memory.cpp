// SPDX-License-Identifier: Apache-2.0
// Memory as the threads of a block see it, with all checks.
#include <algorithm>

#include "tests/software_gpu/ptx/block.hpp"

namespace software_gpu::ptx {

std::byte* Block::access(Warp& warp, Space space, const Access& wanted) {
  Access at = wanted;
  if (space == Space::generic) {
    const std::uint64_t window = at.address & kWindowMask;
    at.address &= ~kWindowMask;
    space = window == kSharedWindow      ? Space::shared
            : window == kLocalWindow     ? Space::local
            : window == kParameterWindow ? Space::parameter
                                         : Space::global;
  }
  if (at.address % at.bytes != 0) {
    launch.report("misaligned", warp, at.lane,
                  "address " + std::to_string(at.address) + " is no multiple of " + std::to_string(at.bytes));
    return nullptr;
  }
  switch (space) {
    case Space::shared:
      return shared(warp, at);
    case Space::local:
      return local(warp, at);
    case Space::parameter:
      return parameter(warp, at);
    default:
      return global(warp, at);
  }
}

Stamp Block::stamp(Warp& warp, int lane) {
  if (warp.interval_stale) {
    warp.interval = launch.intervals.begin({number_, barrier_count_, warp.synchronisations});
    warp.interval_stale = false;
  }
  return static_cast<Stamp>(warp.interval << kIntervalShift) | static_cast<Stamp>(warp.index * kLanes + lane);
}

CellAccess Block::cell_access(Warp& warp, const Access& at, std::size_t offset, const std::byte* before) {
  CellAccess cells;
  cells.offset = offset;
  cells.bytes = at.bytes;
  cells.lanes = at.lanes;
  cells.stamp = stamp(warp, at.lane);
  cells.kind = at.kind;
  cells.shared_address = at.shared_address;
  cells.block_floor = block_floor_;
  cells.barrier_floor = barrier_floor_;
  cells.before = before;
  cells.after = at.after;
  return cells;
}

void Block::report_conflict(std::string_view kind, Warp& warp, const Access& at, const Conflict& conflict) {
  std::string with = conflict.with_write ? "a write" : "a read";
  if (conflict.earlier == kManyBlocks) {
    with += " by other blocks";
  } else {
    const Interval& interval = launch.intervals[conflict.earlier >> kIntervalShift];
    with += interval.block == number_ ? " by thread " + std::to_string(conflict.earlier & kThreadBits)
                                      : " by another block's thread " + std::to_string(conflict.earlier & kThreadBits);
  }
  launch.report(kind, warp, at.lane + conflict.lane, "is not ordered after " + with);
}

std::byte* Block::shared(Warp& warp, const Access& at) {
  const std::size_t total = at.shared_address ? at.bytes : at.bytes * static_cast<std::size_t>(at.lanes);
  if (at.address + total > shared_.size()) {
    launch.report("out-of-bounds", warp, at.lane,
                  "shared address " + std::to_string(at.address) + " of " + std::to_string(shared_.size()) + " bytes");
    return nullptr;
  }
  std::byte* bytes = shared_.data() + at.address;
  CellAccess cells = cell_access(warp, at, at.address, bytes);
  cells.oldest = block_floor_;
  cells.block_floor = 0;
  shared_cells_.refine(at.bytes);
  if (at.kind != AccessKind::write) {  // written in this block means initialised
    const Stamp* write = shared_cells_.write.data() + (at.address >> shared_cells_.shift);
    const std::size_t granules = total >> shared_cells_.shift;
    if (std::any_of(write, write + granules, [&](Stamp stamp_written) { return stamp_written < block_floor_; })) {
      launch.report("uninitialised-read", warp, at.lane, "(shared memory)");
    }
  }
  const Conflict conflict = note_access(shared_cells_, cells, launch.intervals);
  if (conflict.earlier != 0) report_conflict("shared-race", warp, at, conflict);
  return bytes;
}

std::byte* Block::local(Warp& warp, const Access& at) {
  const std::size_t size = launch.kernel.local_bytes;
  if (at.address + at.bytes > size) {
    launch.report("out-of-bounds", warp, at.lane,
                  "local address " + std::to_string(at.address) + " of " + std::to_string(size) + " bytes");
    return nullptr;
  }
  return local_.data() + static_cast<std::size_t>(warp.index * kLanes + at.lane) * size + at.address;
}

std::byte* Block::parameter(Warp& warp, const Access& at) {
  if (at.kind != AccessKind::read || at.address + at.bytes > launch.parameters.size()) {
    launch.report("out-of-bounds", warp, at.lane, "(kernel parameters)");
    return nullptr;
  }
  return launch.parameters.data() + at.address;
}

/// The cache behind ld.global.nc does not see what the launch itself writes; nvcc uses it for `const __restrict__`
/// data.
void Block::check_read_only(Warp& warp, const Access& at, const Cells& cells, std::size_t offset) {
  const std::size_t total = at.shared_address ? at.bytes : at.bytes * static_cast<std::size_t>(at.lanes);
  Stamp written = 0;
  for (std::size_t i = offset >> cells.shift; i <= (offset + total - 1) >> cells.shift; ++i) written |= cells.write[i];
  if (written != 0) launch.report("read-only-load", warp, at.lane, "of bytes that this launch has written");
}

std::byte* Block::global(Warp& warp, const Access& at) {
  const std::size_t total = at.shared_address ? at.bytes : at.bytes * static_cast<std::size_t>(at.lanes);
  Region* region = launch.find_region(warp, at.lane, at.address, at.bytes);
  if (region == nullptr) return nullptr;
  if (at.address + total > region->end) {
    const int inside = static_cast<int>((region->end - at.address) / at.bytes);
    launch.find_region(warp, at.lane + inside, region->end, at.bytes);
    return nullptr;
  }
  const std::size_t offset = at.address - region->begin;
  std::byte* bytes = region->footprint.bytes + offset;
  if (at.kind != AccessKind::write && !region->footprint.mark_read(offset, total)) {
    launch.report("uninitialised-read", warp, at.lane, "in " + region->allocation->describe());
  }
  if (at.kind != AccessKind::read) region->footprint.mark_written(offset, total);
  if (at.kind == AccessKind::atomic) launch.intervals.atomic(number_, at.address);
  constexpr std::size_t kPage = std::size_t{1} << Region::kPageShift;
  for (int done = 0; done < at.lanes;) {
    const std::size_t from = offset + static_cast<std::size_t>(done) * at.bytes;
    Access part = at;
    part.lane = at.lane + done;
    part.lanes =
        at.shared_address ? at.lanes : std::min(at.lanes - done, static_cast<int>((kPage - from % kPage) / at.bytes));
    part.after = at.after == nullptr ? nullptr : at.after + static_cast<std::size_t>(done) * at.bytes;
    if (at.read_only) check_read_only(warp, part, region->page(from), from % kPage);
    CellAccess cells = cell_access(warp, part, from % kPage, region->footprint.bytes + from);
    const Conflict conflict = note_access(region->page(from), cells, launch.intervals);
    if (conflict.earlier != 0) {
      const bool same_block =
          conflict.earlier != kManyBlocks && launch.intervals[conflict.earlier >> kIntervalShift].block == number_;
      report_conflict(same_block ? "thread-race" : "block-race", warp, part, conflict);
    }
    done += part.lanes;
  }
  return bytes;
}

}  // namespace software_gpu::ptx
