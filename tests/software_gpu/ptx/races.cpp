// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/races.hpp"

#include <algorithm>
#include <cstring>

namespace software_gpu::ptx {

void Intervals::restart() {
  intervals_.assign(1, Interval{});
  fenced_block_ = acquiring_block_ = 0;
  releases_.clear();
  acquisitions_.clear();
}

std::uint32_t Intervals::begin(const Interval& interval) {
  if (intervals_.size() <= kLastInterval) intervals_.push_back(interval);
  return newest();
}

void Intervals::fence(std::uint32_t block) {
  fenced_block_ = block;
  fenced_interval_ = newest();
}

void Intervals::atomic(std::uint32_t block, std::uint64_t address) {
  if (acquiring_block_ != block) {
    acquiring_block_ = block;
    acquisitions_.clear();
  }
  auto& releases = releases_[address];
  acquisitions_.push_back({address, releases.size()});
  if (fenced_block_ == block) releases.push_back({block, fenced_interval_});
}

bool Intervals::published(Stamp earlier, std::uint32_t block) const {
  if (acquiring_block_ != block || earlier == kManyBlocks) return false;
  const std::uint32_t interval = earlier >> kIntervalShift;
  for (const Acquisition& acquisition : acquisitions_) {
    const auto& releases = releases_.at(acquisition.address);
    const auto fits = [&](const Release& release) {
      return release.block == intervals_[interval].block && interval <= release.interval;
    };
    const auto end = releases.begin() + static_cast<std::ptrdiff_t>(acquisition.count);
    if (std::any_of(releases.begin(), end, fits)) return true;
  }
  return false;
}

bool Intervals::ordered(Stamp earlier, Stamp now) const {
  if (earlier == 0 || earlier == now) return true;
  const Interval& second = intervals_[now >> kIntervalShift];
  if (earlier == kManyBlocks) return false;
  const Interval& first = intervals_[earlier >> kIntervalShift];
  if (first.block != second.block) return published(earlier, second.block);
  if (first.barrier != second.barrier) return true;
  if ((earlier & kManyWarps) != 0) return false;
  const Stamp thread = earlier & kThreadBits;
  if (thread == (now & kThreadBits) && (earlier & kManyLanes) == 0) return true;
  return thread / 32 == (now & kThreadBits) / 32 && first.synchronisation != second.synchronisation;
}

void Cells::reset(std::size_t bytes) {
  shift = 2;
  write.assign((bytes + 3) / 4, 0);
  read.assign((bytes + 3) / 4, 0);
}

void Cells::split(std::size_t bytes) {
  const int finer = bytes >= 2 ? 1 : 0;
  for (auto* stamps : {&write, &read}) {
    std::vector<Stamp> old = std::move(*stamps);
    stamps->resize(old.size() << (shift - finer));
    for (std::size_t i = 0; i < stamps->size(); ++i) (*stamps)[i] = old[i >> (shift - finer)];
  }
  shift = finer;
}

namespace {

/// Who reads: ordered before, by one thread; otherwise how many have read since.
Stamp with_reader(Stamp readers, Stamp me, const Intervals& intervals) {
  if (readers == kManyBlocks) return kManyBlocks;
  if (intervals.ordered(readers, me)) return me;
  const Interval &first = intervals[readers >> kIntervalShift], &second = intervals[me >> kIntervalShift];
  if (first.block != second.block) return kManyBlocks;
  const bool same_warp = (readers & kThreadBits) / 32 == (me & kThreadBits) / 32 && (readers & kManyWarps) == 0;
  return me | (same_warp ? kManyLanes : kManyWarps);
}

bool same_value(const CellAccess& access, std::size_t at, std::size_t granule) {
  return access.after != nullptr && std::memcmp(access.before + at, access.after + at, granule) == 0;
}

/// One granule, decided exactly. Returns the stamp that conflicts, or 0.
Conflict note_granule(Stamp& write, Stamp& read, Stamp me, const CellAccess& access, std::size_t at,
                      std::size_t granule, const Intervals& intervals) {
  Conflict conflict;
  if (write < access.oldest) write = 0;
  if (read < access.oldest) read = 0;
  const Stamp writer = write & ~kAtomic;
  const bool both_atomic = access.kind == AccessKind::atomic && (write & kAtomic) != 0;
  if (!both_atomic && !intervals.ordered(writer, me) &&
      !(access.kind == AccessKind::write && same_value(access, at, granule))) {
    conflict = {writer, 0, true};
  }
  if (access.kind == AccessKind::read) {
    read = with_reader(read, me, intervals);
    return conflict;
  }
  if (conflict.earlier == 0 && !intervals.ordered(read, me) &&
      !(access.kind == AccessKind::write && same_value(access, at, granule))) {
    conflict = {read, 0, false};
  }
  write = me | (access.kind == AccessKind::atomic ? kAtomic : 0);
  read = 0;
  return conflict;
}

/// The same for all granules at once; false (and nothing noted) when some granule needs to be decided one by one.
template <int kGranules>
bool quick_read(const Stamp* write, Stamp* read, const CellAccess& access) {
  const Stamp span = access.barrier_floor - access.block_floor;
  const std::size_t count = static_cast<std::size_t>(access.lanes) * kGranules;
  Stamp bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Stamp me = access.stamp + static_cast<Stamp>(i / kGranules), w = write[i], r = read[i];
    const bool written = !(w == 0 || w == me || w - access.block_floor < span);
    const bool kept = r == kManyBlocks || ((r ^ me) >> kIntervalShift == 0 && (r & kManyWarps) != 0);
    bad |= static_cast<Stamp>(written || !(kept || r == 0 || r == me || r - access.block_floor < span));
  }
  if (bad != 0) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const Stamp me = access.stamp + static_cast<Stamp>(i / kGranules), r = read[i];
    const bool kept = r == kManyBlocks || ((r ^ me) >> kIntervalShift == 0 && (r & kManyWarps) != 0);
    read[i] = kept ? r : me;
  }
  return true;
}

template <int kGranules>
bool quick_write(Stamp* write, Stamp* read, const CellAccess& access) {
  const Stamp span = access.barrier_floor - access.block_floor;
  const std::size_t count = static_cast<std::size_t>(access.lanes) * kGranules;
  Stamp bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Stamp me = access.stamp + static_cast<Stamp>(i / kGranules), w = write[i], r = read[i];
    bad |= static_cast<Stamp>(!(w == 0 || w == me || w - access.block_floor < span));
    bad |= static_cast<Stamp>(!(r == 0 || r == me || r - access.block_floor < span));
  }
  if (bad != 0) return false;
  for (std::size_t i = 0; i < count; ++i) {
    write[i] = access.stamp + static_cast<Stamp>(i / kGranules);
    read[i] = 0;
  }
  return true;
}

bool quick(Stamp* write, Stamp* read, const CellAccess& access, std::size_t granules) {
  const bool reading = access.kind == AccessKind::read;
  switch (granules) {
    case 1:
      return reading ? quick_read<1>(write, read, access) : quick_write<1>(write, read, access);
    case 2:
      return reading ? quick_read<2>(write, read, access) : quick_write<2>(write, read, access);
    case 4:
      return reading ? quick_read<4>(write, read, access) : quick_write<4>(write, read, access);
    default:
      return false;
  }
}

/// Several lanes of a warp read the same bytes.
bool quick_shared_address(const Stamp* write, Stamp* read, const CellAccess& access, std::size_t granules) {
  const Stamp span = access.barrier_floor - access.block_floor;
  const Stamp mine = access.stamp | kManyLanes;
  for (std::size_t i = 0; i < granules; ++i) {
    const Stamp w = write[i], r = read[i];
    const bool kept = r == kManyBlocks || ((r ^ mine) >> kIntervalShift == 0 && (r & kManyWarps) != 0);
    if (w != 0 && w - access.block_floor >= span) return false;
    if (!kept && r != 0 && r != mine && r - access.block_floor >= span) return false;
  }
  for (std::size_t i = 0; i < granules; ++i) {
    const Stamp r = read[i];
    const bool kept = r == kManyBlocks || ((r ^ mine) >> kIntervalShift == 0 && (r & kManyWarps) != 0);
    read[i] = kept ? r : mine;
  }
  return true;
}

}  // namespace

Conflict note_access(Cells& cells, const CellAccess& access, const Intervals& intervals) {
  cells.refine(access.bytes);
  const std::size_t granule = std::size_t{1} << cells.shift;
  const std::size_t granules = access.bytes >> cells.shift;
  Stamp* write = cells.write.data() + (access.offset >> cells.shift);
  Stamp* read = cells.read.data() + (access.offset >> cells.shift);
  if (access.shared_address) {
    if (quick_shared_address(write, read, access, granules)) return {};
  } else if (access.kind != AccessKind::atomic && quick(write, read, access, granules)) {
    return {};
  }
  Conflict first;
  for (int lane = 0; lane < access.lanes; ++lane) {
    for (std::size_t i = 0; i < granules; ++i) {
      const std::size_t at = (access.shared_address ? 0 : static_cast<std::size_t>(lane) * granules) + i;
      Conflict conflict = note_granule(write[at], read[at], access.stamp + static_cast<Stamp>(lane), access,
                                       at * granule, granule, intervals);
      conflict.lane = lane;
      if (first.earlier == 0) first = conflict;
    }
  }
  return first;
}

}  // namespace software_gpu::ptx
