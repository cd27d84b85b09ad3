// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>

#include "tests/software_gpu/ptx/barrier_option.hpp"

namespace software_gpu::ptx {
namespace {

constexpr std::uint64_t kInstructionsOfABlock = std::uint64_t{1} << 26;  // more is taken for an endless loop
constexpr unsigned kLongestTurn = 128;
constexpr std::size_t kAlignment = 64;

}  // namespace

void join_group(Warp& warp, std::uint32_t pc, Mask lanes, bool patient) {
  if (lanes == 0) return;
  auto at = std::find_if(warp.groups.begin(), warp.groups.end(), [&](const Group& group) { return group.pc >= pc; });
  if (at != warp.groups.end() && at->pc == pc) {
    at->lanes |= lanes;
    at->patient = false;
  } else {
    warp.groups.insert(at, Group{pc, lanes, patient});
  }
}

Block::Block(Launch& owner) : launch(owner) {
  const std::size_t warp_count = (owner.threads + kLanes - 1) / kLanes;
  const std::size_t stride = (owner.kernel.register_bytes + kAlignment - 1) / kAlignment * kAlignment;
  register_file_.resize(stride * warp_count + kAlignment);
  void* first = register_file_.data();
  std::size_t space = register_file_.size();
  std::align(kAlignment, stride * warp_count, first, space);
  for (std::size_t i = 0; i < warp_count; ++i) {
    warps_.emplace_back(*this, static_cast<int>(i), static_cast<std::byte*>(first) + i * stride);
  }
  shared_.resize(owner.shared_bytes);
  shared_cells_.reset(owner.shared_bytes);
  local_.resize(owner.kernel.local_bytes * warp_count * kLanes);
  fill_constants();
  for (const Warp& warp : warps_) fill_specials(warp);
}

void Block::fill_constants() {
  for (const Warp& warp : warps_) {
    for (const Constant& constant : launch.kernel.constants) {
      if (constant.width == 0) {
        warp.predicate(constant.offset) = constant.bits != 0 ? kAllLanes : 0;
        continue;
      }
      std::byte* to = warp.lanes<std::byte>(constant.offset);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(to + lane * constant.width, &constant.bits, constant.width);
      }
    }
  }
}

void Block::fill_specials(const Warp& warp) {
  const dim3 size = launch.block;
  const auto fill = [&](Special special, auto value) {
    const std::uint32_t offset = launch.kernel.specials[static_cast<std::size_t>(special)];
    if (offset == kNone) return;
    for (unsigned lane = 0; lane < kLanes; ++lane) warp.lanes<std::uint32_t>(offset)[lane] = value(lane);
  };
  const auto first = static_cast<unsigned>(warp.index * kLanes);
  fill(Special::tid_x, [&](unsigned lane) { return (first + lane) % size.x; });
  fill(Special::tid_y, [&](unsigned lane) { return (first + lane) / size.x % size.y; });
  fill(Special::tid_z, [&](unsigned lane) { return (first + lane) / size.x / size.y; });
  fill(Special::ntid_x, [&](unsigned) { return size.x; });
  fill(Special::ntid_y, [&](unsigned) { return size.y; });
  fill(Special::ntid_z, [&](unsigned) { return size.z; });
  fill(Special::nctaid_x, [&](unsigned) { return launch.grid.x; });
  fill(Special::nctaid_y, [&](unsigned) { return launch.grid.y; });
  fill(Special::nctaid_z, [&](unsigned) { return launch.grid.z; });
  fill(Special::laneid, [](unsigned lane) { return lane; });
  fill(Special::warpid, [&](unsigned) { return static_cast<unsigned>(warp.index); });
  fill(Special::nwarpid, [&](unsigned) { return static_cast<unsigned>(warps_.size()); });
  fill(Special::gridid, [](unsigned) { return 0u; });
  fill(Special::smid, [](unsigned) { return 0u; });
  fill(Special::nsmid, [](unsigned) { return 1u; });
  fill(Special::lanemask_eq, [](unsigned lane) { return 1u << lane; });
  fill(Special::lanemask_lt, [](unsigned lane) { return (1u << lane) - 1; });
  fill(Special::lanemask_le, [](unsigned lane) { return (2u << lane) - 1; });
  fill(Special::lanemask_gt, [](unsigned lane) { return ~((2u << lane) - 1); });
  fill(Special::lanemask_ge, [](unsigned lane) { return ~((1u << lane) - 1); });
  fill(Special::dynamic_smem_size, [&](unsigned) { return static_cast<unsigned>(launch.dynamic_shared_bytes); });
  fill(Special::total_smem_size, [&](unsigned) { return static_cast<unsigned>(launch.shared_bytes); });
}

void Block::fill_position(const Warp& warp) {
  const auto fill = [&](Special special, unsigned value) {
    const std::uint32_t offset = launch.kernel.specials[static_cast<std::size_t>(special)];
    if (offset != kNone) std::fill_n(warp.lanes<std::uint32_t>(offset), kLanes, value);
  };
  fill(Special::ctaid_x, position.x);
  fill(Special::ctaid_y, position.y);
  fill(Special::ctaid_z, position.z);
}

void Block::start(dim3 where, std::uint32_t number) {
  position = where;
  number_ = number;
  barrier_count_ = 0;
  instruction_limit_ = launch.instructions + kInstructionsOfABlock;
  const std::uint32_t previous = interval_;
  interval_ = launch.intervals.begin({number_, 0, 0});
  if (interval_ <= previous) shared_cells_.reset(shared_.size());  // the intervals began anew
  block_floor_ = barrier_floor_ = static_cast<Stamp>(interval_ << kIntervalShift);
  std::fill(shared_.begin(), shared_.end(), std::byte{0xFF});  // a NaN
  for (Barrier& barrier : barriers_) barrier = {};
  for (Warp& warp : warps_) {
    const std::size_t first = static_cast<std::size_t>(warp.index) * kLanes;
    const std::size_t count = std::min<std::size_t>(kLanes, launch.threads - first);
    warp.started = warp.alive = count == kLanes ? kAllLanes : (Mask{1} << count) - 1;
    warp.parked = 0;
    warp.groups.assign(1, Group{0, warp.alive, false});
    warp.synchronisations = 0;
    warp.interval = interval_;
    warp.interval_stale = false;
    fill_position(warp);
  }
}

void Block::run(dim3 where, std::uint32_t number) {
  start(where, number);
  while (Warp* warp = choose()) {
    turn(*warp, 1 + static_cast<int>(launch.generator() % kLongestTurn));
    if (launch.instructions > instruction_limit_) {
      launch.report("endless-loop", *warp, 0);
      return;
    }
  }
  const bool alive = std::any_of(warps_.begin(), warps_.end(), [](const Warp& warp) { return warp.alive != 0; });
  if (alive) report_stuck();
}

Warp* Block::choose() {
  const std::size_t count = warps_.size();
  const std::size_t start_at = count == 1 ? 0 : launch.generator() % count;
  for (std::size_t i = 0; i < count; ++i) {
    Warp& warp = warps_[(start_at + i) % count];
    if (!warp.groups.empty()) return &warp;
  }
  return nullptr;
}

void Block::turn(Warp& warp, int instructions) {
  while (instructions > 0 && !warp.groups.empty()) {
    const auto ready = std::find_if(warp.groups.begin(), warp.groups.end(), [](const Group& g) { return !g.patient; });
    const bool forced = ready == warp.groups.end();  // all wait for each other: go on without those that do not come
    const auto at = forced ? warp.groups.begin() : ready;
    Group group = *at;
    warp.groups.erase(at);
    if (!straight(warp, group, instructions, forced)) continue;
    join_group(warp, group.pc, group.lanes, group.patient);
  }
}

/// Runs a group until it meets others, splits, stops, or its turn ends. False when no lanes are left in it.
bool Block::straight(Warp& warp, Group& group, int& instructions, bool forced) {
  const std::vector<Instruction>& code = launch.kernel.code;
  const auto others =
      std::find_if(warp.groups.begin(), warp.groups.end(), [&](const Group& g) { return g.pc > group.pc; });
  const std::uint32_t meeting = others == warp.groups.end() ? std::numeric_limits<std::uint32_t>::max() : others->pc;
  while (instructions-- > 0) {
    if (group.pc >= code.size()) {
      leave(warp, group.lanes);
      return false;
    }
    const Instruction& x = code[group.pc];
    Mask lanes = group.lanes;
    if (x.guard != kNone) lanes &= x.guard_negated ? ~warp.predicate(x.guard) : warp.predicate(x.guard);
    warp.pc = group.pc;
    ++launch.instructions;
    if (x.flow == Flow::next) {
      if (lanes != 0) x.execute(warp, x, lanes);
      ++group.pc;
    } else if (x.flow == Flow::branch && lanes == group.lanes && warp.groups.empty()) {
      group.pc = x.target;
    } else if (!divert(warp, group, x, lanes, forced)) {
      return group.lanes != 0;
    }
    if (group.pc == meeting) return true;
    forced = false;
  }
  return true;
}

/// An instruction that is more than a step. False when the group must be chosen anew.
bool Block::divert(Warp& warp, Group& group, const Instruction& x, Mask lanes, bool forced) {
  if (x.flow == Flow::convergent || (x.flow == Flow::barrier && (x.option & kBarrierAligned) != 0)) {
    const bool barrier = x.flow == Flow::barrier;
    const Mask members = barrier || lanes == 0 ? kAllLanes : warp.lanes<Mask>(x.source[3])[std::countr_zero(lanes)];
    if (lanes != 0 && !converged(warp, group, lanes, members & warp.started, forced)) {
      group.patient = true;
      return false;
    }
  }
  switch (x.flow) {
    case Flow::convergent:
      if (lanes != 0) x.execute(warp, x, lanes);
      ++group.pc;
      return true;
    case Flow::barrier:
      arrive(warp, group, x, lanes);
      return false;
    case Flow::branch:
      branch(warp, group, x, lanes);
      return false;
    case Flow::indexed_branch:
      indexed_branch(warp, group, x, lanes);
      return false;
    case Flow::trap:
      if (lanes != 0) launch.report("trap", warp, std::countr_zero(lanes));
      break;
    default:
      break;
  }
  leave(warp, lanes);
  group.lanes &= ~lanes;
  ++group.pc;
  return false;
}

/// Whether all lanes that must take part are there. Lanes that are elsewhere and can still come are waited for; when
/// they cannot, also because their threads have ended, that is reported and the instruction goes on without them.
bool Block::converged(Warp& warp, const Group& group, Mask lanes, Mask needed, bool forced) {
  const Mask missing = needed & ~lanes;
  if (missing == 0) return true;
  const bool may_come = !forced && std::any_of(warp.groups.begin(), warp.groups.end(), [&](const Group& other) {
    return !other.patient && (other.lanes & missing) != 0;
  });
  if (may_come) return false;
  const bool barrier = launch.kernel.code[group.pc].flow == Flow::barrier;
  launch.report(barrier ? "divergent-barrier" : "shuffle-mask", warp, std::countr_zero(missing), "does not take part");
  return true;
}

void Block::branch(Warp& warp, Group& group, const Instruction& x, Mask lanes) {
  const Mask stay = group.lanes & ~lanes;
  if (stay == 0) {
    group.pc = x.target;
    return;
  }
  join_group(warp, x.target, lanes, false);
  group.lanes = stay;
  ++group.pc;
}

void Block::indexed_branch(Warp& warp, Group& group, const Instruction& x, Mask lanes) {
  const std::uint32_t* index = warp.lanes<std::uint32_t>(x.source[0]);
  for (Mask rest = lanes; rest != 0;) {
    const int lane = std::countr_zero(rest);
    Mask same = 0;
    for (int other = lane; other < kLanes; ++other) {
      if ((rest >> other & 1) != 0 && index[other] == index[lane]) same |= Mask{1} << other;
    }
    rest &= ~same;
    if (index[lane] >= x.option) {
      launch.report("illegal-branch", warp, lane,
                    "index " + std::to_string(index[lane]) + " of " + std::to_string(x.option));
      leave(warp, same);
    } else {
      join_group(warp, launch.kernel.targets[x.target + index[lane]], same, false);
    }
  }
  group.lanes &= ~lanes;
  ++group.pc;
}

void Block::leave(Warp& warp, Mask lanes) {
  warp.alive &= ~lanes;
  open_barriers();
}

void Block::synchronise(Warp& warp) {
  ++warp.synchronisations;
  warp.interval_stale = true;
}

}  // namespace software_gpu::ptx
