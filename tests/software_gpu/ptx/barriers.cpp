// SPDX-License-Identifier: Apache-2.0
// bar and barrier: threads of a block wait for each other.
#include <algorithm>
#include <bit>

#include "tests/software_gpu/ptx/barrier_option.hpp"
#include "tests/software_gpu/ptx/block.hpp"

namespace software_gpu::ptx {

void Block::arrive(Warp& warp, Group& group, const Instruction& x, Mask lanes) {
  group.lanes &= ~lanes;
  const std::uint32_t pc = group.pc++;
  if (lanes == 0) return;
  const int first = std::countr_zero(lanes);
  const std::uint32_t id = warp.lanes<std::uint32_t>(x.source[0])[first];
  if (id >= barriers_.size()) {
    launch.report("illegal-barrier", warp, first, "barrier " + std::to_string(id));
    return join_group(warp, pc + 1, lanes, false);
  }
  Barrier& barrier = barriers_[id];
  const std::size_t expected = x.source[1] == kNone ? 0 : warp.lanes<std::uint32_t>(x.source[1])[first];
  if (!barrier.arrivals.empty() && barrier.expected != expected) {
    launch.report("divergent-barrier", warp, first, "expects another number of threads than those that wait");
  }
  barrier.expected = expected;
  const bool waits = (x.option & kBarrierArrive) == 0;
  barrier.arrivals.push_back({&warp, pc, lanes, waits});
  if (waits) {
    warp.parked |= lanes;
  } else {
    join_group(warp, pc + 1, lanes, false);
  }
  open_barriers();
}

bool Block::complete(const Barrier& barrier) const {
  if (barrier.arrivals.empty()) return false;
  std::size_t arrived = 0, alive = 0;
  for (const Arrival& arrival : barrier.arrivals) {
    const auto lanes = static_cast<std::size_t>(std::popcount(arrival.lanes));
    // With a count, warps count whole: the last warp of a block may have fewer threads.
    const bool whole = barrier.expected != 0 && arrival.lanes == arrival.warp->alive;
    arrived += whole ? kLanes : lanes;
  }
  for (const Warp& warp : warps_) alive += static_cast<std::size_t>(std::popcount(warp.alive));
  return arrived >= (barrier.expected != 0 ? barrier.expected : alive);
}

void Block::open_barriers() {
  for (Barrier& barrier : barriers_) {
    if (complete(barrier)) open(barrier);
  }
}

void Block::open(Barrier& barrier) {
  ++barrier_count_;
  interval_ = launch.intervals.begin({number_, barrier_count_, 0});
  barrier_floor_ = static_cast<Stamp>(interval_ << kIntervalShift);
  std::size_t votes = 0, voters = 0;
  for (const Arrival& arrival : barrier.arrivals) {
    const Instruction& x = launch.kernel.code[arrival.pc];
    if (x.source[2] == kNone) continue;
    const Mask negated = (x.option & kBarrierNegated) != 0 ? kAllLanes : 0;
    votes += static_cast<std::size_t>(std::popcount((arrival.warp->predicate(x.source[2]) ^ negated) & arrival.lanes));
    voters += static_cast<std::size_t>(std::popcount(arrival.lanes));
  }
  for (const Arrival& arrival : barrier.arrivals) {
    const Instruction& x = launch.kernel.code[arrival.pc];
    if (!arrival.waits) continue;
    if ((x.option & kBarrierCount) != 0) {
      std::uint32_t* to = arrival.warp->lanes<std::uint32_t>(x.destination);
      for (int lane = 0; lane < kLanes; ++lane) {
        if ((arrival.lanes >> lane & 1) != 0) to[lane] = static_cast<std::uint32_t>(votes);
      }
    } else if ((x.option & (kBarrierAnd | kBarrierOr)) != 0) {
      const bool truth = (x.option & kBarrierAnd) != 0 ? votes == voters : votes != 0;
      arrival.warp->set_predicate(x.destination, truth ? kAllLanes : 0, arrival.lanes);
    }
    arrival.warp->parked &= ~arrival.lanes;
    join_group(*arrival.warp, arrival.pc + 1, arrival.lanes, false);
  }
  barrier = {};
  for (Warp& warp : warps_) {
    warp.synchronisations = 0;
    warp.interval = interval_;
    warp.interval_stale = false;
  }
}

void Block::report_stuck() {
  for (const Barrier& barrier : barriers_) {
    for (const Arrival& arrival : barrier.arrivals) {
      arrival.warp->pc = arrival.pc;
      launch.report("divergent-barrier", *arrival.warp, std::countr_zero(arrival.lanes),
                    "waits for threads that never arrive");
    }
  }
}

}  // namespace software_gpu::ptx
