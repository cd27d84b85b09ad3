// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/races.hpp"

#include <cstring>
#include <string>
#include <utility>

#include "tests/software_gpu/core/host_access.hpp"
#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/report.hpp"

namespace software_gpu {

void AccessHistory::split_at(std::size_t at) {
  auto next = ranges_.upper_bound(at);
  if (next == ranges_.begin()) return;
  auto range = std::prev(next);
  if (range->first == at || range->second.end <= at) return;
  Range right = range->second;
  range->second.end = at;
  ranges_.emplace_hint(next, at, std::move(right));
}

void AccessHistory::fill_gaps(std::size_t begin, std::size_t end) {
  auto next = ranges_.lower_bound(begin);
  while (begin < end) {
    if (next != ranges_.end() && next->first == begin) {
      begin = next->second.end;
      ++next;
      continue;
    }
    const std::size_t gap_end = next == ranges_.end() ? end : std::min(end, next->first);
    ranges_.emplace_hint(next, begin, Range{gap_end, nullptr, {}});
    begin = gap_end;
  }
}

AccessHistory::Ranges::iterator AccessHistory::merge_with_previous(Ranges::iterator range) {
  if (range == ranges_.begin() || range == ranges_.end()) return range;
  auto previous = std::prev(range);
  if (previous->second.end != range->first || !previous->second.same_accesses(range->second)) return range;
  previous->second.end = range->second.end;
  ranges_.erase(range);
  return previous;
}

AccessHistory::Race AccessHistory::record(std::size_t begin, std::size_t end, bool reads, bool writes,
                                          const EpochPtr& who, const Clock& clock) {
  Race race;
  const auto compare = [&](const EpochPtr& other, bool wrote, std::size_t at) {
    if (race.with == nullptr && other != nullptr && !other->before(clock)) race = {other, wrote, at};
  };
  split_at(begin);
  split_at(end);
  fill_gaps(begin, end);
  auto range = ranges_.find(begin);
  for (; range != ranges_.end() && range->first < end; ++range) {
    auto& [range_end, writer, readers] = range->second;
    compare(writer, true, range->first);
    if (writes) {
      for (const EpochPtr& reader : readers) compare(reader, false, range->first);
      writer = who;
      readers.clear();
    }
    if (reads) {
      std::erase_if(readers, [&](const EpochPtr& reader) { return reader->before(clock); });
      readers.push_back(who);
    }
    range = merge_with_previous(range);
  }
  merge_with_previous(range);
  return race;
}

EpochPtr AccessHistory::unordered_with(const Clock& clock) const {
  for (const auto& [begin, range] : ranges_) {
    if (range.writer != nullptr && !range.writer->before(clock)) return range.writer;
    for (const EpochPtr& reader : range.readers) {
      if (!reader->before(clock)) return reader;
    }
  }
  return nullptr;
}

namespace {

constexpr std::uint8_t kMarks = kRead | kWritten;

/// The end of the run of equal marks that starts at `begin`, eight bytes at a time where they agree.
std::size_t run_end(const std::uint8_t* shadow, std::size_t begin, std::size_t end) {
  constexpr std::uint64_t kEachByte = 0x0101010101010101u;
  const std::uint8_t marks = shadow[begin] & kMarks;
  std::size_t i = begin + 1;
  while (i < end) {
    std::uint64_t eight;
    if (end - i >= sizeof eight) {
      std::memcpy(&eight, shadow + i, sizeof eight);
      if ((eight & (kEachByte * kMarks)) == kEachByte * marks) {
        i += sizeof eight;
        continue;
      }
    }
    if ((shadow[i] & kMarks) != marks) break;
    ++i;
  }
  return i;
}

/// Collects runs of marks that touch each other into one before they are recorded.
class Recorder {
 public:
  Recorder(Allocation& allocation, const EpochPtr& who, const Clock& clock)
      : allocation_(allocation), who_(who), clock_(clock) {}
  void add(std::size_t begin, std::size_t end, std::uint8_t marks) {
    if (marks == marks_ && begin == end_) {
      end_ = end;
      return;
    }
    flush();
    begin_ = begin;
    end_ = end;
    marks_ = marks;
  }
  void flush() {
    if (marks_ == 0) return;
    const bool writes = (marks_ & kWritten) != 0;
    const auto race = allocation_.history->record(begin_, end_, (marks_ & kRead) != 0, writes, who_, clock_);
    marks_ = 0;
    if (allocation_.kind == MemoryKind::pinned) {
      const InFlight use = writes ? InFlight::written_by_device : InFlight::read_by_device;
      begin_in_flight(allocation_, begin_, end_ - begin_, use, who_);
    }
    if (race.with == nullptr || told_) return;
    told_ = true;
    const std::string what = writes ? (race.with_writer ? "both write" : "write after read") : "read after write";
    report("stream-race", what + ": " + who_->who + " and " + race.with->who + ", byte " + std::to_string(race.at) +
                              " of " + allocation_.describe() + ", nothing orders them");
  }

 private:
  Allocation& allocation_;
  const EpochPtr& who_;
  const Clock& clock_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint8_t marks_ = 0;
  bool told_ = false;
};

}  // namespace

void check_races(Allocation& a, const EpochPtr& who, const Clock& clock) {
  Recorder recorder(a, who, clock);
  const std::size_t blocks = (a.size >> kDirtyShift) + 1;
  auto* const end_of_blocks = a.dirty + blocks;
  for (auto* dirty = a.dirty; dirty < end_of_blocks; ++dirty) {
    dirty = static_cast<std::uint8_t*>(std::memchr(dirty, 1, static_cast<std::size_t>(end_of_blocks - dirty)));
    if (dirty == nullptr) break;
    *dirty = 0;
    const std::size_t begin = static_cast<std::size_t>(dirty - a.dirty) << kDirtyShift;
    const std::size_t end = std::min(a.size, begin + (std::size_t{1} << kDirtyShift));
    for (std::size_t i = begin; i < end;) {
      const std::size_t next = run_end(a.shadow, i, end);
      if (const std::uint8_t marks = a.shadow[i] & kMarks; marks != 0) recorder.add(i, next, marks);
      i = next;
    }
    std::uint8_t* const shadow = a.shadow;
    for (std::size_t i = begin; i < end; ++i) shadow[i] &= kInitialised;
  }
  recorder.flush();
}

}  // namespace software_gpu
