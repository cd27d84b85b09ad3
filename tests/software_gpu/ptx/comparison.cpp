// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "tests/software_gpu/ptx/float_functions.hpp"
#include "tests/software_gpu/ptx/half.hpp"

namespace software_gpu::ptx {
namespace {

// How a lane's bits become a number to compare.
template <class T>
struct Plain {
  using Bits = T;
  static T value(T bits) { return bits; }
};
struct Flushed {
  using Bits = float;
  static float value(float bits) { return flush(bits); }
};
struct Fp16 {
  using Bits = std::uint16_t;
  static float value(Bits bits) { return half_to_float(bits); }
};
struct Bf16 {
  using Bits = std::uint16_t;
  static float value(Bits bits) { return bfloat_to_float(bits); }
};
template <class Format, int kShift>
struct PairPart {
  using Bits = std::uint32_t;
  static float value(Bits bits) { return Format::value(static_cast<std::uint16_t>(bits >> kShift)); }
};

enum class Relation { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

template <Relation kRelation, class T>
bool holds(T a, T b) {
  const bool unordered = a != a || b != b;  // of integers: never
  switch (kRelation) {
    case Relation::eq:
      return a == b;
    case Relation::ne:
      return !unordered && a != b;
    case Relation::lt:
      return a < b;
    case Relation::le:
      return a <= b;
    case Relation::gt:
      return a > b;
    case Relation::ge:
      return a >= b;
    case Relation::equ:
      return a == b || unordered;
    case Relation::neu:
      return a != b;
    case Relation::ltu:
      return !(a >= b);
    case Relation::leu:
      return !(a > b);
    case Relation::gtu:
      return !(a <= b);
    case Relation::geu:
      return !(a < b);
    case Relation::num:
      return !unordered;
    default:
      return unordered;
  }
}

template <class Format, Relation kRelation>
Mask compare(const Warp& warp, const Instruction& x) {
  const auto* a = warp.lanes<typename Format::Bits>(x.source[0]);
  const auto* b = warp.lanes<typename Format::Bits>(x.source[1]);
  Mask result = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    result |= Mask{holds<kRelation>(Format::value(a[lane]), Format::value(b[lane]))} << lane;
  }
  return result;
}

constexpr std::uint32_t kCombine = 3, kNegated = 4;  // 1: and, 2: or, 3: xor

Mask combined(const Warp& warp, const Instruction& x, Mask relation) {
  if ((x.option & kCombine) == 0) return relation;
  const Mask other = warp.predicate(x.source[2]) ^ ((x.option & kNegated) != 0 ? kAllLanes : 0);
  switch (x.option & kCombine) {
    case 1:
      return relation & other;
    case 2:
      return relation | other;
    default:
      return relation ^ other;
  }
}

struct Setp {
  template <class Format, Relation kRelation>
  static void run(Warp& warp, const Instruction& x, Mask mask) {
    const Mask relation = compare<Format, kRelation>(warp, x);
    const Mask first = combined(warp, x, relation);
    if (x.second_destination != kNone) warp.set_predicate(x.second_destination, combined(warp, x, ~relation), mask);
    warp.set_predicate(x.destination, first, mask);
  }
};
/// Packed operands: the low halves give the first predicate, the high halves the second.
template <class Format>
struct SetpPair {
  template <class, Relation kRelation>
  static void run(Warp& warp, const Instruction& x, Mask mask) {
    const Mask low = combined(warp, x, compare<PairPart<Format, 0>, kRelation>(warp, x));
    const Mask high = combined(warp, x, compare<PairPart<Format, 16>, kRelation>(warp, x));
    warp.set_predicate(x.destination, low, mask);
    if (x.second_destination != kNone) warp.set_predicate(x.second_destination, high, mask);
  }
};

template <class T>
void write_truth(Warp& warp, const Instruction& x, Mask mask, Mask truth, T yes) {
  alignas(64) T result[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) result[lane] = (truth >> lane & 1) != 0 ? yes : T{0};
  store_lanes(warp.lanes<T>(x.destination), result, mask);
}
/// `set`: all ones, or 1.0 of the destination type, which lies in `x.offset`.
struct Set {
  template <class Format, Relation kRelation>
  static void run(Warp& warp, const Instruction& x, Mask mask) {
    const Mask truth = combined(warp, x, compare<Format, kRelation>(warp, x));
    if (x.width == 2) return write_truth(warp, x, mask, truth, static_cast<std::uint16_t>(x.offset));
    write_truth(warp, x, mask, truth, static_cast<std::uint32_t>(x.offset));
  }
};
template <class Format>
struct SetPair {
  template <class, Relation kRelation>
  static void run(Warp& warp, const Instruction& x, Mask mask) {
    const Mask low = combined(warp, x, compare<PairPart<Format, 0>, kRelation>(warp, x));
    const Mask high = combined(warp, x, compare<PairPart<Format, 16>, kRelation>(warp, x));
    const auto yes = static_cast<std::uint32_t>(x.offset);
    alignas(64) std::uint32_t result[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      result[lane] = ((low >> lane & 1) != 0 ? yes : 0) | ((high >> lane & 1) != 0 ? yes << 16 : 0);
    }
    store_lanes(warp.lanes<std::uint32_t>(x.destination), result, mask);
  }
};

template <class Use, class Format, std::size_t... I>
Handler pick(std::size_t relation, std::index_sequence<I...>) {
  static constexpr std::array<Handler, sizeof...(I)> table = {Use::template run<Format, static_cast<Relation>(I)>...};
  return relation < table.size() ? table[relation] : nullptr;
}
/// Integers know the first six relations.
template <class Use, class T>
Handler pick_integer(std::size_t relation) {
  return pick<Use, Plain<T>>(relation, std::make_index_sequence<6>{});
}
template <class Use, class Format>
Handler pick_float(std::size_t relation) {
  return pick<Use, Format>(relation, std::make_index_sequence<14>{});
}

template <class Use, template <class> class UsePair>
Handler pick_typed(Type type, bool ftz, std::size_t relation) {
  switch (type) {
    case Type::b16:
    case Type::u16:
      return pick_integer<Use, std::uint16_t>(relation);
    case Type::b32:
    case Type::u32:
      return pick_integer<Use, std::uint32_t>(relation);
    case Type::b64:
    case Type::u64:
      return pick_integer<Use, std::uint64_t>(relation);
    case Type::s16:
      return pick_integer<Use, std::int16_t>(relation);
    case Type::s32:
      return pick_integer<Use, std::int32_t>(relation);
    case Type::s64:
      return pick_integer<Use, std::int64_t>(relation);
    case Type::f32:
      return ftz ? pick_float<Use, Flushed>(relation) : pick_float<Use, Plain<float>>(relation);
    case Type::f64:
      return pick_float<Use, Plain<double>>(relation);
    case Type::f16:
      return pick_float<Use, Fp16>(relation);
    case Type::bf16:
      return pick_float<Use, Bf16>(relation);
    case Type::f16x2:
      return pick_float<UsePair<Fp16>, Fp16>(relation);
    case Type::bf16x2:
      return pick_float<UsePair<Bf16>, Bf16>(relation);
    default:
      return nullptr;
  }
}

std::size_t take_relation(Builder& b) {
  const std::size_t relation = b.take_one_of({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu",
                                              "geu", "num", "nan", "lo", "ls", "hi", "hs"});
  return relation < 14 ? relation : relation - 14 + 2;  // lo, ls, hi, hs: lt, le, gt, ge without sign
}

/// The boolean operation and its operand; returns how many operands follow the comparison's.
std::size_t take_combination(Builder& b, std::size_t operand) {
  const std::uint32_t combine = b.take("and") ? 1 : b.take("or") ? 2 : b.take("xor") ? 3 : 0;
  b.x.option = combine;
  if (combine == 0) return 0;
  b.predicate_source(2, operand);
  if (b.operand(operand).negated) b.x.option |= kNegated;
  return 1;
}

bool take_ftz(Builder& b, Type type) {
  const bool ftz = b.take("ftz");
  if (ftz && type != Type::f32) b.fail("ftz of this type");
  return ftz;
}

void decode_setp(Builder& b) {
  const Type type = b.type();
  const std::size_t relation = take_relation(b);
  const std::size_t first = b.statement.second_destination ? 2 : 1;
  if (first == 2 && b.operand(1).kind != Operand::Kind::sink) {
    b.x.second_destination = b.resolver.resolve_predicate(b.operand(1));
  }
  b.predicate_destination(0);
  b.source(0, first, bytes(type));
  b.source(1, first + 1, bytes(type));
  const std::size_t more = take_combination(b, first + 2);
  b.x.execute = pick_typed<Setp, SetpPair>(type, take_ftz(b, type), relation);
  if (b.x.execute == nullptr) b.fail("relation");
  b.finish(first + 2 + more);
}

std::uint64_t truth_value(Builder& b, Type type) {
  switch (type) {
    case Type::f32:
      return 0x3F800000u;
    case Type::f16:
    case Type::f16x2:
      return 0x3C00u;
    case Type::bf16:
    case Type::bf16x2:
      return 0x3F80u;
    case Type::u32:
    case Type::s32:
      return b.type(1) == Type::f16x2 || b.type(1) == Type::bf16x2 ? 0xFFFFu : 0xFFFFFFFFu;
    case Type::u16:
    case Type::s16:
      return 0xFFFFu;
    default:
      b.fail("type of the result");
  }
}

void decode_set(Builder& b) {
  const Type type = b.type(1);
  const std::size_t relation = take_relation(b);
  b.x.offset = static_cast<std::int64_t>(truth_value(b, b.type(0)));
  b.x.width = static_cast<std::uint8_t>(bytes(b.type(0)));
  b.destination(0, bytes(b.type(0)));
  b.source(0, 1, bytes(type));
  b.source(1, 2, bytes(type));
  const std::size_t more = take_combination(b, 3);
  b.x.execute = pick_typed<Set, SetPair>(type, take_ftz(b, type), relation);
  if (b.x.execute == nullptr) b.fail("relation");
  b.finish(3 + more);
}

}  // namespace

const std::vector<DecoderEntry>& comparison_decoders() {
  static const std::vector<DecoderEntry> table = {{"setp", decode_setp}, {"set", decode_set}};
  return table;
}

}  // namespace software_gpu::ptx
