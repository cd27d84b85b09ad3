// SPDX-License-Identifier: Apache-2.0
// What the lanes of a warp tell each other: shfl, vote, match, redux, activemask, bar.warp.sync.
#include <algorithm>
#include <array>

#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

/// The member mask stands in source 3, where the executor waits for its lanes. A lane that calls must be named.
void check_member(Warp& warp, const Instruction& x, Mask mask) {
  const Mask* members = warp.lanes<Mask>(x.source[3]);
  for_each_lane(mask, [&](int lane) {
    if ((members[lane] >> lane & 1) == 0) {
      warp.block.launch.report("shuffle-mask", warp, lane, "is not in the mask with which it calls");
    }
  });
}

enum class Shuffle : std::uint32_t { up, down, butterfly, index };

void run_shuffle(Warp& warp, const Instruction& x, Mask mask) {
  check_member(warp, x, mask);
  std::array<std::uint32_t, kLanes> value{};
  std::copy_n(warp.lanes<std::uint32_t>(x.source[0]), kLanes, value.begin());
  const std::uint32_t *b = warp.lanes<std::uint32_t>(x.source[1]), *c = warp.lanes<std::uint32_t>(x.source[2]);
  std::uint32_t* to = warp.lanes<std::uint32_t>(x.destination);
  std::array<std::uint32_t, kLanes> result{};
  Mask in_range = 0;
  for_each_lane(mask, [&](int lane) {
    const int delta = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31);
    const int segment = static_cast<int>(c[lane] >> 8 & 31);
    const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    int from = lane;
    bool valid = false;
    switch (static_cast<Shuffle>(x.option)) {
      case Shuffle::up:
        from = lane - delta, valid = from >= most;
        break;
      case Shuffle::down:
        from = lane + delta, valid = from <= most;
        break;
      case Shuffle::butterfly:
        from = lane ^ delta, valid = from <= most;
        break;
      case Shuffle::index:
        from = least | (delta & ~segment), valid = from <= most;
        break;
    }
    if (!valid) from = lane;
    if ((mask >> from & 1) == 0) {
      warp.block.launch.report("shuffle-mask", warp, lane,
                               "reads lane " + std::to_string(from) + ", which does not take part");
    }
    result[static_cast<std::size_t>(lane)] = value[static_cast<std::size_t>(from)];
    in_range |= Mask{valid} << lane;
  });
  store_lanes(to, result.data(), mask);
  if (x.second_destination != kNone) warp.set_predicate(x.second_destination, in_range, mask);
}
void decode_shfl(Builder& b) {
  if (!b.take("sync")) b.fail("only .sync");
  b.x.option = static_cast<std::uint32_t>(b.take_one_of({"up", "down", "bfly", "idx"}));
  const std::size_t first = b.statement.second_destination ? 2 : 1;
  b.destination(0, 4);
  if (first == 2 && b.operand(1).kind != Operand::Kind::sink) {
    b.x.second_destination = b.resolver.resolve_predicate(b.operand(1));
  }
  for (std::size_t i = 0; i < 4; ++i) b.source(i, first + i, 4);
  b.x.flow = Flow::convergent;
  b.x.execute = run_shuffle;
  b.finish(first + 4);
}

enum class Vote : std::uint32_t { all, any, uniform, ballot };

void run_vote(Warp& warp, const Instruction& x, Mask mask) {
  check_member(warp, x, mask);
  const Mask negated = (x.option & 4) != 0 ? kAllLanes : 0;
  const Mask ballot = (warp.predicate(x.source[0]) ^ negated) & mask;
  switch (static_cast<Vote>(x.option & 3)) {
    case Vote::all:
      return warp.set_predicate(x.destination, ballot == mask ? kAllLanes : 0, mask);
    case Vote::any:
      return warp.set_predicate(x.destination, ballot != 0 ? kAllLanes : 0, mask);
    case Vote::uniform:
      return warp.set_predicate(x.destination, ballot == mask || ballot == 0 ? kAllLanes : 0, mask);
    default:
      break;
  }
  std::uint32_t* to = warp.lanes<std::uint32_t>(x.destination);
  for_each_lane(mask, [&](int lane) { to[lane] = ballot; });
}
void decode_vote(Builder& b) {
  if (!b.take("sync")) b.fail("only .sync");
  const std::size_t kind = b.take_one_of({"all", "any", "uni", "ballot"});
  kind == 3 ? b.destination(0, 4) : b.predicate_destination(0);
  b.predicate_source(0, 1);
  b.source(3, 2, 4);
  b.x.option = static_cast<std::uint32_t>(kind) | (b.operand(1).negated ? 4u : 0u);
  b.x.flow = Flow::convergent;
  b.x.execute = run_vote;
  b.finish(3);
}

template <class T>
void run_match(Warp& warp, const Instruction& x, Mask mask) {
  check_member(warp, x, mask);
  const T* value = warp.lanes<T>(x.source[0]);
  std::uint32_t* to = warp.lanes<std::uint32_t>(x.destination);
  const bool all = x.option != 0;
  std::array<std::uint32_t, kLanes> result{};
  for_each_lane(mask, [&](int lane) {
    for_each_lane(mask, [&](int other) {
      result[static_cast<std::size_t>(lane)] |= value[other] == value[lane] ? Mask{1} << other : 0;
    });
  });
  if (all) {
    const bool same = result[static_cast<std::size_t>(std::countr_zero(mask))] == mask;
    result.fill(same ? mask : 0);
    if (x.second_destination != kNone) warp.set_predicate(x.second_destination, same ? kAllLanes : 0, mask);
  }
  store_lanes(to, result.data(), mask);
}
void decode_match(Builder& b) {
  b.take("sync");
  b.x.option = b.take_one_of({"any", "all"}) == 1 ? 1 : 0;
  const std::size_t first = b.statement.second_destination ? 2 : 1;
  b.destination(0, 4);
  if (first == 2) b.x.second_destination = b.resolver.resolve_predicate(b.operand(1));
  const std::size_t width = bytes(b.type());
  b.source(0, first, width);
  b.source(3, first + 1, 4);
  b.x.flow = Flow::convergent;
  b.x.execute = width == 8 ? run_match<std::uint64_t> : run_match<std::uint32_t>;
  b.finish(first + 2);
}

enum class Reduction : std::uint32_t { add, min, max, conjunction, disjunction, difference };

template <class T>
void run_redux(Warp& warp, const Instruction& x, Mask mask) {
  check_member(warp, x, mask);
  const T* value = warp.lanes<T>(x.source[0]);
  T sum = value[std::countr_zero(mask)];
  for_each_lane(mask & (mask - 1), [&](int lane) {
    switch (static_cast<Reduction>(x.option)) {
      case Reduction::add:
        sum = static_cast<T>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(value[lane]));
        break;
      case Reduction::min:
        sum = std::min(sum, value[lane]);
        break;
      case Reduction::max:
        sum = std::max(sum, value[lane]);
        break;
      case Reduction::conjunction:
        sum &= value[lane];
        break;
      case Reduction::disjunction:
        sum |= value[lane];
        break;
      case Reduction::difference:
        sum ^= value[lane];
        break;
    }
  });
  T* to = warp.lanes<T>(x.destination);
  for_each_lane(mask, [&](int lane) { to[lane] = sum; });
}
void decode_redux(Builder& b) {
  b.take("sync");
  b.x.option = static_cast<std::uint32_t>(b.take_one_of({"add", "min", "max", "and", "or", "xor"}));
  if (is_float(b.type())) b.fail("type");
  b.destination(0, 4);
  b.source(0, 1, 4);
  b.source(3, 2, 4);
  b.x.flow = Flow::convergent;
  b.x.execute = b.type() == Type::s32 ? run_redux<std::int32_t> : run_redux<std::uint32_t>;
  b.finish(3);
}

void run_activemask(Warp& warp, const Instruction& x, Mask mask) {
  std::uint32_t* to = warp.lanes<std::uint32_t>(x.destination);
  for_each_lane(mask, [&](int lane) { to[lane] = mask; });
}
void decode_activemask(Builder& b) {
  b.destination(0, 4);
  b.x.execute = run_activemask;
  b.finish(1);
}

}  // namespace

void run_warp_barrier(Warp& warp, const Instruction& x, Mask mask) {
  check_member(warp, x, mask);
  warp.block.synchronise(warp);
}

const std::vector<DecoderEntry>& exchange_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"shfl", decode_shfl},
      {"vote", decode_vote},
      {"match", decode_match},
      {"redux", decode_redux},
      {"activemask", decode_activemask},
  };
  return table;
}

}  // namespace software_gpu::ptx
