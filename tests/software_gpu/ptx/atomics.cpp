// SPDX-License-Identifier: Apache-2.0
// atom, red. Atomic sums of floating-point numbers depend on the order in which they happen: they are executed, and
// reported as float-atomic.
#include <algorithm>
#include <type_traits>

#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/half.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

enum class Update : std::uint32_t {
  add,
  min,
  max,
  conjunction,
  disjunction,
  difference,
  exchange,
  compare,
  increment,
  decrement
};
constexpr std::uint32_t kUpdateBits = 15, kFence = 16;

template <class T>
T updated(Update update, T old, T b, T c) {
  using U = std::make_unsigned_t<T>;
  switch (update) {
    case Update::add:
      return static_cast<T>(static_cast<U>(old) + static_cast<U>(b));
    case Update::min:
      return std::min(old, b);
    case Update::max:
      return std::max(old, b);
    case Update::conjunction:
      return old & b;
    case Update::disjunction:
      return old | b;
    case Update::difference:
      return old ^ b;
    case Update::exchange:
      return b;
    case Update::compare:
      return old == b ? c : old;
    case Update::increment:
      return static_cast<U>(old) >= static_cast<U>(b) ? T{0} : static_cast<T>(old + 1);
    default:
      return old == 0 || static_cast<U>(old) > static_cast<U>(b) ? b : static_cast<T>(old - 1);
  }
}

std::byte* atomic_access(Warp& warp, const Instruction& x, int lane, std::size_t size) {
  Block::Access access;
  access.lane = lane;
  access.address = x.address_width == 8 ? warp.lanes<std::uint64_t>(x.source[0])[lane]
                                        : warp.lanes<std::uint32_t>(x.source[0])[lane];
  access.address += static_cast<std::uint64_t>(x.offset);
  access.bytes = size;
  access.kind = AccessKind::atomic;
  return warp.block.access(warp, x.space, access);
}

template <class T, class Result>
void for_each_atomic(Warp& warp, const Instruction& x, Mask mask, Result&& result) {
  if ((x.option & kFence) != 0) warp.block.fence();
  for_each_lane(mask, [&](int lane) {
    std::byte* at = atomic_access(warp, x, lane, sizeof(T));
    T old{};
    if (at != nullptr) std::memcpy(&old, at, sizeof old);
    const T value = result(lane, old);
    if (at != nullptr) std::memcpy(at, &value, sizeof value);
    if (x.destination != kNone) warp.lanes<T>(x.destination)[lane] = old;
  });
}

template <class T>
void run(Warp& warp, const Instruction& x, Mask mask) {
  const auto update = static_cast<Update>(x.option & kUpdateBits);
  const T* b = warp.lanes<T>(x.source[1]);
  const T* c = x.source[2] != kNone ? warp.lanes<T>(x.source[2]) : b;
  for_each_atomic<T>(warp, x, mask, [&](int lane, T old) { return updated(update, old, b[lane], c[lane]); });
}

template <class T>
void run_float(Warp& warp, const Instruction& x, Mask mask) {
  warp.block.launch.report("float-atomic", warp, std::countr_zero(mask),
                           "its result depends on the order of the threads");
  const T* b = warp.lanes<T>(x.source[1]);
  for_each_atomic<T>(warp, x, mask, [&](int lane, T old) { return old + b[lane]; });
}
template <bool kPacked>
void run_half(Warp& warp, const Instruction& x, Mask mask) {
  using T = std::conditional_t<kPacked, std::uint32_t, std::uint16_t>;
  warp.block.launch.report("float-atomic", warp, std::countr_zero(mask),
                           "its result depends on the order of the threads");
  const T* b = warp.lanes<T>(x.source[1]);
  const auto sum = [](std::uint32_t p, std::uint32_t q) {
    return float_to_half(half_to_float(static_cast<std::uint16_t>(p)) + half_to_float(static_cast<std::uint16_t>(q)));
  };
  for_each_atomic<T>(warp, x, mask, [&](int lane, T old) {
    const std::uint32_t high =
        kPacked ? static_cast<std::uint32_t>(sum(std::uint32_t{old} >> 16, std::uint32_t{b[lane]} >> 16)) : 0;
    return static_cast<T>(high << 16 | sum(old, b[lane]));
  });
}

Handler pick(Builder& b, Update update) {
  const bool sum = update == Update::add;
  switch (b.type()) {
    case Type::b16:
      return update == Update::compare ? run<std::uint16_t> : nullptr;
    case Type::b32:
    case Type::u32:
      return run<std::uint32_t>;
    case Type::b64:
    case Type::u64:
      return run<std::uint64_t>;
    case Type::s32:
      return run<std::int32_t>;
    case Type::s64:
      return run<std::int64_t>;
    case Type::f32:
      return sum ? run_float<float> : nullptr;
    case Type::f64:
      return sum ? run_float<double> : nullptr;
    case Type::f16:
      return sum ? run_half<false> : nullptr;
    case Type::f16x2:
      return sum ? run_half<true> : nullptr;
    default:
      return nullptr;
  }
}

void decode(Builder& b, bool returns) {
  for (const char* word : {"relaxed", "gpu", "cta", "sys", "noftz"}) b.take(word);
  const bool fence = b.take("acq_rel") || b.take("release") || b.take("acquire");
  b.x.space = b.take("global")                            ? Space::global
              : b.take("shared") || b.take("shared::cta") ? Space::shared
                                                          : Space::generic;
  const auto update =
      static_cast<Update>(b.take_one_of({"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"}));
  b.x.option = static_cast<std::uint32_t>(update) | (fence ? kFence : 0);
  const std::size_t first = returns ? 1 : 0;
  const std::size_t width = bytes(b.type());
  if (returns) b.destination(0, width);
  b.address(0, first);
  b.source(1, first + 1, width);
  const bool compare = update == Update::compare;
  if (compare) b.source(2, first + 2, width);
  b.x.execute = pick(b, update);
  if (b.x.execute == nullptr) b.fail("type");
  b.finish(first + 2 + (compare ? 1 : 0));
}
void decode_atom(Builder& b) {
  decode(b, true);
}
void decode_red(Builder& b) {
  decode(b, false);
}

}  // namespace

const std::vector<DecoderEntry>& atomic_decoders() {
  static const std::vector<DecoderEntry> table = {{"atom", decode_atom}, {"red", decode_red}};
  return table;
}

}  // namespace software_gpu::ptx
