// SPDX-License-Identifier: Apache-2.0
// mov in all its forms, cvta, isspacep.
#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

template <class T>
struct Move {
  static T apply(T a) { return a; }
};

void run_predicate(Warp& warp, const Instruction& x, Mask mask) {
  warp.set_predicate(x.destination, warp.predicate(x.source[0]) ^ (x.option != 0 ? kAllLanes : 0), mask);
}

/// d = {a, b, ...}, the first element lowest
template <class D, class S>
void run_pack(Warp& warp, const Instruction& x, Mask mask) {
  alignas(64) D result[kLanes] = {};
  for (std::size_t i = 0; i < x.elements; ++i) {
    const S* from = warp.lanes<S>(x.vector[i]);
    for (int lane = 0; lane < kLanes; ++lane) {
      result[lane] |= static_cast<D>(static_cast<D>(from[lane]) << (8 * sizeof(S) * i));
    }
  }
  store_lanes(warp.lanes<D>(x.destination), result, mask);
}
template <class D, class S>
void run_unpack(Warp& warp, const Instruction& x, Mask mask) {
  alignas(64) S from[kLanes];
  std::memcpy(from, warp.lanes<S>(x.source[0]), sizeof from);  // the source may be one of the destinations
  for (std::size_t i = 0; i < x.elements; ++i) {
    alignas(64) D result[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) result[lane] = static_cast<D>(from[lane] >> (8 * sizeof(D) * i));
    store_lanes(warp.lanes<D>(x.vector[i]), result, mask);
  }
}

/// Clocks count the instructions of the launch.
template <class T>
void run_clock(Warp& warp, const Instruction& x, Mask mask) {
  T* to = warp.lanes<T>(x.destination);
  for_each_lane(mask, [&](int lane) { to[lane] = static_cast<T>(warp.block.launch.instructions); });
}

bool is_clock(const Operand& operand) {
  return operand.kind == Operand::Kind::special && operand.index >= static_cast<int>(Special::clock);
}

void decode_vector_move(Builder& b) {
  const bool pack = b.operand(1).kind == Operand::Kind::vector;
  const Operand& list = b.operand(pack ? 1 : 0);
  const std::size_t whole = bytes(b.type());
  const std::size_t part = list.items.empty() ? 0 : whole / list.items.size();
  if (part < 2 || part * list.items.size() != whole || list.items.size() < 2) b.fail("vector");
  b.vector(list, part, true);
  pack ? b.destination(0, whole) : b.source(0, 1, whole);
  using U16 = std::uint16_t;
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  if (whole == 4) {
    b.x.execute = pack ? run_pack<U32, U16> : run_unpack<U16, U32>;
  } else if (part == 4) {
    b.x.execute = pack ? run_pack<U64, U32> : run_unpack<U32, U64>;
  } else {
    b.x.execute = pack ? run_pack<U64, U16> : run_unpack<U16, U64>;
  }
  b.finish(2);
}

void decode_mov(Builder& b) {
  if (b.operand(0).kind == Operand::Kind::vector || b.operand(1).kind == Operand::Kind::vector) {
    return decode_vector_move(b);
  }
  if (b.type() == Type::pred) {
    b.predicate_destination(0);
    b.predicate_source(0, 1);
    b.x.option = b.operand(1).negated ? 1 : 0;
    b.x.execute = run_predicate;
  } else if (is_clock(b.operand(1))) {
    b.destination(0, bytes(b.type()));
    b.x.execute = bytes(b.type()) == 8 ? run_clock<std::uint64_t> : run_clock<std::uint32_t>;
  } else {
    switch (bytes(b.type())) {
      case 2:
        bind<Move<std::uint16_t>>(b);
        break;
      case 4:
        bind<Move<std::uint32_t>>(b);
        break;
      case 8:
        bind<Move<std::uint64_t>>(b);
        break;
      default:
        b.fail("type");
    }
  }
  b.finish(2);
}

void run_cvta(Warp& warp, const Instruction& x, Mask mask) {
  const auto* from = warp.lanes<std::uint64_t>(x.source[0]);
  auto* to = warp.lanes<std::uint64_t>(x.destination);
  const auto window = static_cast<std::uint64_t>(x.offset);
  for_each_lane(mask, [&](int lane) { to[lane] = x.option != 0 ? from[lane] & ~window : from[lane] | window; });
}
std::uint64_t window_of(Builder& b) {
  if (b.take("shared") || b.take("shared::cta")) return kSharedWindow;
  if (b.take("local")) return kLocalWindow;
  if (b.take("param") || b.take("param::entry")) return kParameterWindow;
  if (b.take("global") || b.take("const")) return 0;
  b.fail("state space");
}
void decode_cvta(Builder& b) {
  b.x.option = b.take("to") ? 1 : 0;
  b.x.offset = static_cast<std::int64_t>(window_of(b));
  b.destination(0, 8);
  b.source(0, 1, 8);
  b.x.execute = run_cvta;
  b.finish(2);
}
void run_isspacep(Warp& warp, const Instruction& x, Mask mask) {
  const auto* address = warp.lanes<std::uint64_t>(x.source[0]);
  Mask result = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    result |= Mask{(address[lane] & kWindowMask) == static_cast<std::uint64_t>(x.offset)} << lane;
  }
  warp.set_predicate(x.destination, result, mask);
}
void decode_isspacep(Builder& b) {
  b.x.offset = static_cast<std::int64_t>(window_of(b));
  b.predicate_destination(0);
  b.source(0, 1, 8);
  b.x.execute = run_isspacep;
  b.finish(2);
}

}  // namespace

const std::vector<DecoderEntry>& move_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"mov", decode_mov}, {"cvta", decode_cvta}, {"isspacep", decode_isspacep}};
  return table;
}

}  // namespace software_gpu::ptx
