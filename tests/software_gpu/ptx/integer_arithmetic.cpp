// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <type_traits>

#include "tests/software_gpu/ptx/carries.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;
template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
struct Twice;
template <>
struct Twice<std::int16_t> {
  using type = std::int32_t;
};
template <>
struct Twice<std::uint16_t> {
  using type = std::uint32_t;
};
template <>
struct Twice<std::int32_t> {
  using type = std::int64_t;
};
template <>
struct Twice<std::uint32_t> {
  using type = std::uint64_t;
};
template <>
struct Twice<std::int64_t> {
  using type = Int128;
};
template <>
struct Twice<std::uint64_t> {
  using type = Uint128;
};
template <class T>
using Wide = typename Twice<T>::type;

// Sums and products wrap around: they are formed without sign, in 64 bits, since a product of 16-bit numbers would
// be promoted to int.
template <class T>
T wrap(std::uint64_t value) {
  return static_cast<T>(value);
}

template <class T>
struct Add {
  static T apply(T a, T b) { return wrap<T>(static_cast<Unsigned<T>>(a) + std::uint64_t{static_cast<Unsigned<T>>(b)}); }
};
template <class T>
struct Sub {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b)); }
};
template <class T>
struct MulLow {
  static T apply(T a, T b) {
    using U = std::common_type_t<Unsigned<T>, std::uint32_t>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
template <class T>
struct MulHigh {
  static T apply(T a, T b) { return static_cast<T>((Wide<T>{a} * Wide<T>{b}) >> (8 * sizeof(T))); }
};
template <class T>
struct MulWide {
  static Wide<T> apply(T a, T b) { return static_cast<Wide<T>>(Wide<T>{a} * Wide<T>{b}); }
};
template <class T>
struct MadLow {
  static T apply(T a, T b, T c) { return Add<T>::apply(MulLow<T>::apply(a, b), c); }
};
template <class T>
struct MadHigh {
  static T apply(T a, T b, T c) { return Add<T>::apply(MulHigh<T>::apply(a, b), c); }
};
template <class T>
struct MadWide {
  static Wide<T> apply(T a, T b, Wide<T> c) { return Add<Wide<T>>::apply(MulWide<T>::apply(a, b), c); }
};
template <class T>
struct MadHighSaturated {  // s32 only
  static T apply(T a, T b, T c) {
    const std::int64_t sum = std::int64_t{MulHigh<T>::apply(a, b)} + c;
    return static_cast<T>(std::clamp<std::int64_t>(sum, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
};
struct AddSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b) {
    const std::int64_t sum = std::int64_t{a} + b;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};
struct SubSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b) {
    const std::int64_t difference = std::int64_t{a} - b;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(difference, INT32_MIN, INT32_MAX));
  }
};
/// Division by zero gives, unspecified by the manual, all ones; the least number divided by -1 is itself.
template <class T>
struct Div {
  static constexpr bool kPerLane = true;
  static T apply(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub<T>::apply(0, a);
    return static_cast<T>(a / b);
  }
};
template <class T>
struct Rem {
  static constexpr bool kPerLane = true;
  static T apply(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
template <class T>
struct Min {
  static T apply(T a, T b) { return a < b ? a : b; }
};
template <class T>
struct Max {
  static T apply(T a, T b) { return a > b ? a : b; }
};
template <class T>
struct Neg {
  static T apply(T a) { return Sub<T>::apply(0, a); }
};
template <class T>
struct Abs {
  static T apply(T a) { return a < 0 ? Sub<T>::apply(0, a) : a; }
};
template <class T>
struct Sad {
  static T apply(T a, T b, T c) { return Add<T>::apply(c, a < b ? Sub<T>::apply(b, a) : Sub<T>::apply(a, b)); }
};
template <class T>
T low_24(T value) {
  return static_cast<T>(static_cast<T>(static_cast<std::uint32_t>(value) << 8) >> 8);
}
template <class T>
struct Mul24Low {
  static T apply(T a, T b) { return MulLow<T>::apply(low_24(a), low_24(b)); }
};
template <class T>
struct Mul24High {
  static T apply(T a, T b) { return static_cast<T>((Wide<T>{low_24(a)} * Wide<T>{low_24(b)}) >> 16); }
};
template <class T>
struct Mad24Low {
  static T apply(T a, T b, T c) { return Add<T>::apply(Mul24Low<T>::apply(a, b), c); }
};
template <class A, class B>
struct Dp4a {
  static std::int32_t apply(std::uint32_t a, std::uint32_t b, std::int32_t c) {
    std::uint32_t sum = static_cast<std::uint32_t>(c);
    for (int i = 0; i < 4; ++i) {
      sum += static_cast<std::uint32_t>(static_cast<A>(a >> (8 * i)) * static_cast<B>(b >> (8 * i)));
    }
    return static_cast<std::int32_t>(sum);
  }
};

/// Binds F<T> for the integer type of the statement.
template <template <class> class F>
void bind_typed(Builder& b) {
  switch (b.type()) {
    case Type::s16:
      return bind<F<std::int16_t>>(b);
    case Type::u16:
      return bind<F<std::uint16_t>>(b);
    case Type::s32:
      return bind<F<std::int32_t>>(b);
    case Type::u32:
      return bind<F<std::uint32_t>>(b);
    case Type::s64:
      return bind<F<std::int64_t>>(b);
    case Type::u64:
      return bind<F<std::uint64_t>>(b);
    default:
      b.fail("type");
  }
}
/// For instructions whose result is twice as wide, or that have 32 bits only.
template <template <class> class F, bool kOnly32>
void bind_narrow(Builder& b) {
  switch (b.type()) {
    case Type::s32:
      return bind<F<std::int32_t>>(b);
    case Type::u32:
      return bind<F<std::uint32_t>>(b);
    default:
      break;
  }
  if constexpr (!kOnly32) {
    if (b.type() == Type::s16) return bind<F<std::int16_t>>(b);
    if (b.type() == Type::u16) return bind<F<std::uint16_t>>(b);
  }
  b.fail("type");
}

template <template <class> class F, std::size_t kOperands>
void decode(Builder& b) {
  bind_typed<F>(b);
  b.finish(kOperands);
}

void decode_add(Builder& b) {
  if (b.take("cc")) return bind_carry(b, kCarryOut, 3);
  b.take("sat") ? bind<AddSaturated>(b) : bind_typed<Add>(b);
  b.finish(3);
}
void decode_sub(Builder& b) {
  if (b.take("cc")) return bind_carry(b, kCarryOut | kSubtract, 3);
  b.take("sat") ? bind<SubSaturated>(b) : bind_typed<Sub>(b);
  b.finish(3);
}
void decode_mul(Builder& b) {
  switch (b.take_one_of({"lo", "hi", "wide"})) {
    case 0:
      bind_typed<MulLow>(b);
      break;
    case 1:
      bind_typed<MulHigh>(b);
      break;
    default:
      bind_narrow<MulWide, false>(b);
  }
  b.finish(3);
}
void decode_mad(Builder& b) {
  const std::size_t half = b.take_one_of({"lo", "hi", "wide"});
  if (b.take("cc")) {
    if (half == 2 || (half == 1 && is_signed(b.type()))) b.fail("this half with carry");
    return bind_carry(b, kCarryOut | (half == 1 ? kHigh : 0), 4);
  }
  if (half == 1 && b.take("sat")) {
    bind<MadHighSaturated<std::int32_t>>(b);
  } else if (half == 2) {
    bind_narrow<MadWide, false>(b);
  } else {
    half == 0 ? bind_typed<MadLow>(b) : bind_typed<MadHigh>(b);
  }
  b.finish(4);
}
void decode_mul24(Builder& b) {
  b.take_one_of({"lo", "hi"}) == 0 ? bind_narrow<Mul24Low, true>(b) : bind_narrow<Mul24High, true>(b);
  b.finish(3);
}
void decode_mad24(Builder& b) {
  if (b.take_one_of({"lo"}) == 0) bind_narrow<Mad24Low, true>(b);
  b.finish(4);
}
void decode_dp4a(Builder& b) {
  const bool a_signed = is_signed(b.type(0)), b_signed = is_signed(b.type(1));
  if (a_signed) {
    b_signed ? bind<Dp4a<std::int8_t, std::int8_t>>(b) : bind<Dp4a<std::int8_t, std::uint8_t>>(b);
  } else {
    b_signed ? bind<Dp4a<std::uint8_t, std::int8_t>>(b) : bind<Dp4a<std::uint8_t, std::uint8_t>>(b);
  }
  b.finish(4);
}

}  // namespace

const std::vector<DecoderEntry>& integer_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"add", decode_add},     {"sub", decode_sub},     {"mul", decode_mul},     {"mad", decode_mad},
      {"mul24", decode_mul24}, {"mad24", decode_mad24}, {"div", decode<Div, 3>}, {"rem", decode<Rem, 3>},
      {"min", decode<Min, 3>}, {"max", decode<Max, 3>}, {"neg", decode<Neg, 2>}, {"abs", decode<Abs, 2>},
      {"sad", decode<Sad, 4>}, {"dp4a", decode_dp4a},
  };
  return table;
}

}  // namespace software_gpu::ptx
