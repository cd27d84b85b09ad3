// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <type_traits>

#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

using U32 = std::uint32_t;
using U64 = std::uint64_t;

template <class T>
struct And {
  static T apply(T a, T b) { return a & b; }
};
template <class T>
struct Or {
  static T apply(T a, T b) { return a | b; }
};
template <class T>
struct Xor {
  static T apply(T a, T b) { return a ^ b; }
};
template <class T>
struct Not {
  static T apply(T a) { return static_cast<T>(~a); }
};
template <class T>
struct LogicalNot {
  static T apply(T a) { return a == 0 ? 1 : 0; }
};
/// Shift amounts beyond the width count as the width.
template <class T>
struct ShiftLeft {
  static T apply(T a, U32 amount) {
    using Word = std::common_type_t<T, U32>;
    return amount >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<Word>(a) << (amount & (8 * sizeof(Word) - 1)));
  }
};
template <class T>
struct ShiftRight {
  static T apply(T a, U32 amount) {
    constexpr U32 kLast = 8 * sizeof(T) - 1;
    const T shifted = static_cast<T>(a >> std::min(amount, kLast));
    return std::is_signed_v<T> || amount <= kLast ? shifted : T{0};
  }
};
template <class T>
struct PopulationCount {
  static U32 apply(T a) { return static_cast<U32>(std::popcount(a)); }
};
template <class T>
struct LeadingZeros {
  static U32 apply(T a) { return static_cast<U32>(std::countl_zero(a)); }
};
template <class T>
struct Reverse {
  static T apply(T a) {
    T result = 0;
    for (std::size_t i = 0; i < 8 * sizeof(T); ++i) result |= (a >> i & 1) << (8 * sizeof(T) - 1 - i);
    return result;
  }
};
/// Position of the highest bit that differs from the sign; all ones when there is none.
template <class T>
struct FindHighest {
  static U32 apply(T a) {
    using U = std::make_unsigned_t<T>;
    const U bits = static_cast<U>(a < 0 ? ~a : a);
    return static_cast<U32>(8 * sizeof(T) - 1) - static_cast<U32>(std::countl_zero(bits));
  }
};
template <class T>
struct FindShift {
  static U32 apply(T a) {
    const U32 found = FindHighest<T>::apply(a);
    return found == ~U32{0} ? found : static_cast<U32>(8 * sizeof(T) - 1) - found;
  }
};
template <class T>
struct ExtractField {
  static T apply(T a, U32 position, U32 length) {
    constexpr U32 kBits = 8 * sizeof(T);
    const U32 from = position & 255, count = length & 255;
    const bool negative = std::is_signed_v<T> && count != 0 && (a >> std::min(from + count - 1, kBits - 1) & 1) != 0;
    const U64 fill = negative ? ~U64{0} : 0;
    const U64 shifted = from < kBits ? static_cast<U64>(static_cast<std::make_unsigned_t<T>>(a)) >> from : 0;
    const U32 valid = std::min(count, from < kBits ? kBits - from : 0);
    const U64 keep = valid >= 64 ? ~U64{0} : (U64{1} << valid) - 1;
    return static_cast<T>((shifted & keep) | (fill & ~keep));
  }
};
template <class T>
struct InsertField {
  static T apply(T field, T into, U32 position, U32 length) {
    const U32 from = position & 255, count = length & 255;
    const U64 ones = count >= 64 ? ~U64{0} : (U64{1} << count) - 1;
    const U64 mask = from < 64 ? ones << from : 0;
    const U64 placed = from < 64 ? static_cast<U64>(field) << from : 0;
    return static_cast<T>((into & ~mask) | (placed & mask));
  }
};
/// The table of three-input functions: bit i of the table is the result for a, b, c = bits 2, 1, 0 of i.
struct Lookup3 {
  static U32 apply(U32 a, U32 b, U32 c, U32 table) {
    U32 result = 0;
    for (U32 i = 0; i < 8; ++i) {
      const U32 match = ((i & 4) != 0 ? a : ~a) & ((i & 2) != 0 ? b : ~b) & ((i & 1) != 0 ? c : ~c);
      result |= (table >> i & 1) != 0 ? match : 0;
    }
    return result;
  }
};
struct Permute {
  static U32 apply(U32 a, U32 b, U32 selector) {
    const U64 pool = U64{b} << 32 | a;
    U32 result = 0;
    for (U32 i = 0; i < 4; ++i) {
      const U32 pick = selector >> (4 * i) & 15;
      const U32 byte = static_cast<U32>(pool >> (8 * (pick & 7))) & 255;
      const U32 value = (pick & 8) == 0 ? byte : (byte & 128) != 0 ? 255 : 0;
      result |= value << (8 * i);
    }
    return result;
  }
};
/// The six modes of prmt that need no selector for each byte: the list of pool bytes for each selector & 3.
template <std::size_t kMode>
struct PermuteMode {
  static constexpr U32 kPicks[6][4] = {{0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
                                       {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
                                       {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
  static U32 apply(U32 a, U32 b, U32 selector) { return Permute::apply(a, b, kPicks[kMode][selector & 3]); }
};
template <bool kLeft, bool kWrap>
struct FunnelShift {
  static U32 apply(U32 low, U32 high, U32 amount) {
    const U32 n = kWrap ? amount & 31 : std::min(amount, U32{32});
    const U64 pair = U64{high} << 32 | low;
    return static_cast<U32>(kLeft ? pair << n >> 32 : pair >> n);
  }
};
template <bool kWrap>
struct BitMask {
  static U32 apply(U32 position, U32 length) {
    const U32 from = kWrap ? position & 31 : std::min(position, U32{32});
    const U32 count = kWrap ? length & 31 : std::min(length, U32{32});
    return static_cast<U32>(((U64{1} << count) - 1) << from);
  }
};

template <template <class> class F>
void bind_bits(Builder& b) {
  switch (bytes(b.type())) {
    case 2:
      return bind<F<std::uint16_t>>(b);
    case 4:
      return bind<F<U32>>(b);
    case 8:
      return bind<F<U64>>(b);
    default:
      b.fail("type");
  }
}
template <template <class> class F>
void bind_words(Builder& b) {
  switch (bytes(b.type())) {
    case 4:
      return bind<F<U32>>(b);
    case 8:
      return bind<F<U64>>(b);
    default:
      b.fail("type");
  }
}
template <template <class> class F>
void bind_words_with_sign(Builder& b) {
  switch (b.type()) {
    case Type::s32:
      return bind<F<std::int32_t>>(b);
    case Type::s64:
      return bind<F<std::int64_t>>(b);
    default:
      return bind_words<F>(b);
  }
}

enum class Logic { conjunction, disjunction, difference, negation };
template <Logic kLogic>
void run_predicate(Warp& warp, const Instruction& x, Mask mask) {
  const Mask a = warp.predicate(x.source[0]) ^ ((x.option & 1) != 0 ? kAllLanes : 0);
  const Mask b = kLogic == Logic::negation ? 0 : warp.predicate(x.source[1]) ^ ((x.option & 2) != 0 ? kAllLanes : 0);
  const Mask value = kLogic == Logic::conjunction   ? a & b
                     : kLogic == Logic::disjunction ? a | b
                     : kLogic == Logic::difference  ? a ^ b
                                                    : ~a;
  warp.set_predicate(x.destination, value, mask);
}
template <template <class> class F, Logic kLogic, std::size_t kOperands>
void decode_logic(Builder& b) {
  if (b.type() == Type::pred) {
    b.x.execute = run_predicate<kLogic>;
    b.predicate_destination(0);
    for (std::size_t i = 1; i < kOperands; ++i) {
      b.predicate_source(i - 1, i);
      b.x.option |= b.operand(i).negated ? U32{1} << (i - 1) : 0;
    }
  } else {
    bind_bits<F>(b);
  }
  b.finish(kOperands);
}
template <template <class> class F, std::size_t kOperands>
void decode_bits(Builder& b) {
  bind_bits<F>(b);
  b.finish(kOperands);
}
template <template <class> class F, std::size_t kOperands>
void decode_words(Builder& b) {
  bind_words<F>(b);
  b.finish(kOperands);
}
void decode_shr(Builder& b) {
  switch (b.type()) {
    case Type::s16:
      bind<ShiftRight<std::int16_t>>(b);
      break;
    case Type::s32:
      bind<ShiftRight<std::int32_t>>(b);
      break;
    case Type::s64:
      bind<ShiftRight<std::int64_t>>(b);
      break;
    default:
      bind_bits<ShiftRight>(b);
  }
  b.finish(3);
}
void decode_bfind(Builder& b) {
  b.take("shiftamt") ? bind_words_with_sign<FindShift>(b) : bind_words_with_sign<FindHighest>(b);
  b.finish(2);
}
void decode_bfe(Builder& b) {
  bind_words_with_sign<ExtractField>(b);
  b.finish(4);
}
void decode_lop3(Builder& b) {
  bind<Lookup3>(b);
  b.finish(5);
}
void decode_prmt(Builder& b) {
  if (b.take("f4e")) {
    bind<PermuteMode<0>>(b);
  } else if (b.take("b4e")) {
    bind<PermuteMode<1>>(b);
  } else if (b.take("rc8")) {
    bind<PermuteMode<2>>(b);
  } else if (b.take("ecl")) {
    bind<PermuteMode<3>>(b);
  } else if (b.take("ecr")) {
    bind<PermuteMode<4>>(b);
  } else if (b.take("rc16")) {
    bind<PermuteMode<5>>(b);
  } else {
    bind<Permute>(b);
  }
  b.finish(4);
}
void decode_shf(Builder& b) {
  const bool left = b.take_one_of({"l", "r"}) == 0;
  const bool wrap = b.take_one_of({"wrap", "clamp"}) == 0;
  if (left) {
    wrap ? bind<FunnelShift<true, true>>(b) : bind<FunnelShift<true, false>>(b);
  } else {
    wrap ? bind<FunnelShift<false, true>>(b) : bind<FunnelShift<false, false>>(b);
  }
  b.finish(4);
}
void decode_bmsk(Builder& b) {
  b.take_one_of({"wrap", "clamp"}) == 0 ? bind<BitMask<true>>(b) : bind<BitMask<false>>(b);
  b.finish(3);
}

}  // namespace

const std::vector<DecoderEntry>& bit_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"and", decode_logic<And, Logic::conjunction, 3>},
      {"or", decode_logic<Or, Logic::disjunction, 3>},
      {"xor", decode_logic<Xor, Logic::difference, 3>},
      {"not", decode_logic<Not, Logic::negation, 2>},
      {"cnot", decode_bits<LogicalNot, 2>},
      {"shl", decode_bits<ShiftLeft, 3>},
      {"shr", decode_shr},
      {"popc", decode_words<PopulationCount, 2>},
      {"clz", decode_words<LeadingZeros, 2>},
      {"brev", decode_words<Reverse, 2>},
      {"bfind", decode_bfind},
      {"bfe", decode_bfe},
      {"bfi", decode_words<InsertField, 5>},
      {"lop3", decode_lop3},
      {"prmt", decode_prmt},
      {"shf", decode_shf},
      {"bmsk", decode_bmsk},
  };
  return table;
}

}  // namespace software_gpu::ptx
