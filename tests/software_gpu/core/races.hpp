// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "tests/software_gpu/core/clock.hpp"

namespace software_gpu {

struct Allocation;

/// Which operations touched the bytes of one allocation last: per range of bytes the last writer, and the readers since
/// then that are not ordered among themselves. Two accesses of which one writes, and of which neither happens before
/// the other, are a race, in whatever order they happened to run.
class AccessHistory {
 public:
  /// Adds the accesses of one operation to [begin, end). Returns the operation that they race with, if any, and whether
  /// that one wrote, and where.
  struct Race {
    EpochPtr with;
    bool with_writer = false;
    std::size_t at = 0;
  };
  Race record(std::size_t begin, std::size_t end, bool reads, bool writes, const EpochPtr& who, const Clock& clock);

  /// An operation in the history that does not happen before `clock`; null when all do.
  EpochPtr unordered_with(const Clock& clock) const;

  std::size_t ranges() const { return ranges_.size(); }

 private:
  struct Range {
    std::size_t end = 0;
    EpochPtr writer;
    std::vector<EpochPtr> readers;
    bool same_accesses(const Range& other) const { return writer == other.writer && readers == other.readers; }
  };
  using Ranges = std::map<std::size_t, Range>;  // by begin; they do not overlap

  void split_at(std::size_t at);
  void fill_gaps(std::size_t begin, std::size_t end);
  Ranges::iterator merge_with_previous(Ranges::iterator range);

  Ranges ranges_;
};

/// Takes the marks of the finished operation out of the allocation's shadow, adds them to its history, and reports
/// (stream-race) the first race. Pinned memory is in flight from now on, until the host has waited for the operation.
void check_races(Allocation& allocation, const EpochPtr& who, const Clock& clock);

}  // namespace software_gpu
