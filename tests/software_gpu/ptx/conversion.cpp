// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "tests/software_gpu/ptx/float_functions.hpp"
#include "tests/software_gpu/ptx/half.hpp"

namespace software_gpu::ptx {
namespace {

struct Fp16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};
template <class T>
constexpr bool kIsFloat = std::is_same_v<T, Fp16> || std::is_same_v<T, Bf16> || std::is_floating_point_v<T>;

// `option`: the rounding, whether to an integer value, and what else happens.
constexpr std::uint32_t kRoundingBits = 7, kToInteger = 8, kFlush = 16, kSaturate = 32, kRelu = 64;

double widen(Fp16 value) {
  return half_to_float(value.bits);
}
double widen(Bf16 value) {
  return bfloat_to_float(value.bits);
}
double widen(float value) {
  return value;
}
double widen(double value) {
  return value;
}

template <class To>
To narrow(double value, Rounding rounding) {
  if constexpr (std::is_same_v<To, Fp16>) return {double_to_half(value, rounding)};
  if constexpr (std::is_same_v<To, Bf16>) return {double_to_bfloat(value, rounding)};
  if constexpr (std::is_same_v<To, float>) return canonical(double_to_float(value, rounding));
  if constexpr (std::is_same_v<To, double>) return value;
}

template <class To, class From>
To float_to_float(From from, std::uint32_t option) {
  const auto rounding = static_cast<Rounding>(option & kRoundingBits);
  double value = widen(from);
  if ((option & kFlush) != 0 && std::is_same_v<From, float>) value = flush(static_cast<float>(value));
  if ((option & kToInteger) != 0) value = round_integral(value, rounding);
  if ((option & kSaturate) != 0) value = value > 0 ? std::min(value, 1.0) : 0.0;
  if ((option & kRelu) != 0) value = value <= 0 ? 0.0 : value;
  To result = narrow<To>(value, (option & kToInteger) != 0 ? Rounding::nearest : rounding);
  if constexpr (std::is_same_v<To, float>) {
    if ((option & kFlush) != 0) result = flush(result);
  }
  return result;
}

/// Clamped to the range of the type. NaN gives 0, or the highest bit alone where FP64 or 64 bits take part.
template <class To, class From>
To float_to_integer(From from, std::uint32_t option) {
  double value = widen(from);
  if ((option & kFlush) != 0 && std::is_same_v<From, float>) value = flush(static_cast<float>(value));
  if (value != value) {
    const bool wide = std::is_same_v<From, double> || sizeof(To) == 8;
    return wide ? static_cast<To>(std::uint64_t{1} << (8 * sizeof(To) - 1)) : To{0};
  }
  value = round_integral(value, static_cast<Rounding>(option & kRoundingBits));
  constexpr double kLow = static_cast<double>(std::numeric_limits<To>::min());
  constexpr double kAbove =
      static_cast<double>(std::uint64_t{1} << (8 * sizeof(To) - 1)) * (std::is_signed_v<To> ? 1 : 2);
  if (value <= kLow) return std::numeric_limits<To>::min();
  if (value >= kAbove) return std::numeric_limits<To>::max();
  return static_cast<To>(value);
}

template <class To, class From>
To integer_to_float(From from, std::uint32_t option) {
  const auto rounding = static_cast<Rounding>(option & kRoundingBits);
  if constexpr (std::is_same_v<To, double> || std::is_same_v<To, float>) {
    if (rounding == Rounding::nearest) return static_cast<To>(from);
  }
  // Exact up to 53 bits; beyond, the last bit says that something was cut off.
  double value = static_cast<double>(from);
  if constexpr (sizeof(From) == 8) {
    const long double exact = from;
    if (std::fabs(static_cast<long double>(value)) > std::fabs(exact)) value = std::nextafter(value, 0.0);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (static_cast<long double>(value) != exact) value = std::bit_cast<double>(bits | 1);
  }
  return narrow<To>(value, rounding);
}

template <class To, class From>
To integer_to_integer(From from, std::uint32_t option) {
  if ((option & kSaturate) == 0) return static_cast<To>(from);
  if constexpr (std::is_signed_v<From>) {
    if (from < 0) {
      if constexpr (!std::is_signed_v<To>) return 0;
      return static_cast<To>(
          std::max(static_cast<std::int64_t>(from), static_cast<std::int64_t>(std::numeric_limits<To>::min())));
    }
  }
  return static_cast<To>(
      std::min(static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(std::numeric_limits<To>::max())));
}

template <class To, class From>
To convert(From from, std::uint32_t option) {
  if constexpr (kIsFloat<From> && kIsFloat<To>) return float_to_float<To>(from, option);
  if constexpr (kIsFloat<From> && !kIsFloat<To>) return float_to_integer<To>(from, option);
  if constexpr (!kIsFloat<From> && kIsFloat<To>) return integer_to_float<To>(from, option);
  if constexpr (!kIsFloat<From> && !kIsFloat<To>) return integer_to_integer<To>(from, option);
}

/// Any conversion, between registers of any width: the source is cut to its type, the result extended to the register.
template <class To, class From>
void run(Warp& warp, const Instruction& x, Mask mask) {
  const std::byte* from = warp.lanes<std::byte>(x.source[0]);
  std::byte* to = warp.lanes<std::byte>(x.destination);
  for_each_lane(mask, [&](int lane) {
    From value{};
    std::memcpy(&value, from + static_cast<std::size_t>(lane) * x.register_width, sizeof value);
    const To result = convert<To>(value, x.option);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &result, sizeof result);
    if constexpr (!kIsFloat<To>) bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(result));
    std::memcpy(to + static_cast<std::size_t>(lane) * x.width, &bits, x.width);
  });
}

template <class To>
Handler pick_source(Type from) {
  switch (from) {
    case Type::u8:
      return run<To, std::uint8_t>;
    case Type::s8:
      return run<To, std::int8_t>;
    case Type::u16:
      return run<To, std::uint16_t>;
    case Type::s16:
      return run<To, std::int16_t>;
    case Type::u32:
      return run<To, std::uint32_t>;
    case Type::s32:
      return run<To, std::int32_t>;
    case Type::u64:
      return run<To, std::uint64_t>;
    case Type::s64:
      return run<To, std::int64_t>;
    case Type::f16:
      return run<To, Fp16>;
    case Type::bf16:
      return run<To, Bf16>;
    case Type::f32:
      return run<To, float>;
    case Type::f64:
      return run<To, double>;
    default:
      return nullptr;
  }
}
Handler pick(Type to, Type from) {
  switch (to) {
    case Type::u8:
      return pick_source<std::uint8_t>(from);
    case Type::s8:
      return pick_source<std::int8_t>(from);
    case Type::u16:
      return pick_source<std::uint16_t>(from);
    case Type::s16:
      return pick_source<std::int16_t>(from);
    case Type::u32:
      return pick_source<std::uint32_t>(from);
    case Type::s32:
      return pick_source<std::int32_t>(from);
    case Type::u64:
      return pick_source<std::uint64_t>(from);
    case Type::s64:
      return pick_source<std::int64_t>(from);
    case Type::f16:
      return pick_source<Fp16>(from);
    case Type::bf16:
      return pick_source<Bf16>(from);
    case Type::f32:
      return pick_source<float>(from);
    case Type::f64:
      return pick_source<double>(from);
    default:
      return nullptr;
  }
}

// The frequent conversions, between registers exactly as wide as the types, without modifiers.
template <class To, class From>
struct Cast {
  static To apply(From value) { return static_cast<To>(value); }
};
struct HalfToFloat {
  static float apply(std::uint16_t value) { return canonical(half_to_float(value)); }
};
struct FloatToHalf {
  static std::uint16_t apply(float value) { return float_to_half(value); }
};
struct BfloatToFloat {
  static float apply(std::uint16_t value) { return canonical(bfloat_to_float(value)); }
};
struct FloatToBfloat {
  static std::uint16_t apply(float value) { return float_to_bfloat(value); }
};
struct Fast {
  Type to, from;
  Handler run;
};
template <class F>
constexpr Handler kRun = Elementwise<F>::run;
constexpr std::array kFast = {
    Fast{Type::f32, Type::f16, kRun<HalfToFloat>},
    Fast{Type::f16, Type::f32, kRun<FloatToHalf>},
    Fast{Type::f32, Type::bf16, kRun<BfloatToFloat>},
    Fast{Type::bf16, Type::f32, kRun<FloatToBfloat>},
    Fast{Type::f32, Type::s32, kRun<Cast<float, std::int32_t>>},
    Fast{Type::f32, Type::u32, kRun<Cast<float, std::uint32_t>>},
    Fast{Type::f64, Type::s32, kRun<Cast<double, std::int32_t>>},
    Fast{Type::f64, Type::u32, kRun<Cast<double, std::uint32_t>>},
    Fast{Type::f64, Type::f32, kRun<Cast<double, float>>},
    Fast{Type::s64, Type::s32, kRun<Cast<std::int64_t, std::int32_t>>},
    Fast{Type::u64, Type::u32, kRun<Cast<std::uint64_t, std::uint32_t>>},
    Fast{Type::u32, Type::u64, kRun<Cast<std::uint32_t, std::uint64_t>>},
    Fast{Type::s32, Type::s64, kRun<Cast<std::int32_t, std::int64_t>>},
    Fast{Type::u32, Type::u16, kRun<Cast<std::uint32_t, std::uint16_t>>},
    Fast{Type::s32, Type::s16, kRun<Cast<std::int32_t, std::int16_t>>},
    Fast{Type::u16, Type::u32, kRun<Cast<std::uint16_t, std::uint32_t>>},
};
Handler pick_fast(Builder& b) {
  const bool exact = b.x.option == 0 && b.x.width == bytes(b.type(0)) && b.x.register_width == bytes(b.type(1));
  if (!exact) return nullptr;
  for (const Fast& fast : kFast) {
    if (fast.to == b.type(0) && fast.from == b.type(1)) return fast.run;
  }
  return nullptr;
}

std::uint32_t take_modifiers(Builder& b) {
  std::uint32_t option = 0;
  constexpr std::array<const char*, 5> kFloatRoundings = {"rn", "rz", "rm", "rp", "rna"};
  constexpr std::array<const char*, 4> kIntegerRoundings = {"rni", "rzi", "rmi", "rpi"};
  for (std::uint32_t i = 0; i < kFloatRoundings.size(); ++i) option |= b.take(kFloatRoundings[i]) ? i : 0;
  for (std::uint32_t i = 0; i < kIntegerRoundings.size(); ++i) {
    option |= b.take(kIntegerRoundings[i]) ? i | kToInteger : 0;
  }
  option |= b.take("ftz") ? kFlush : 0;
  option |= b.take("sat") ? kSaturate : 0;
  option |= b.take("relu") ? kRelu : 0;
  return option;
}

/// d = {a in the upper half, b in the lower}
template <class Format>
void run_pair(Warp& warp, const Instruction& x, Mask mask) {
  const float *high = warp.lanes<float>(x.source[0]), *low = warp.lanes<float>(x.source[1]);
  std::uint32_t* to = warp.lanes<std::uint32_t>(x.destination);
  for_each_lane(mask, [&](int lane) {
    const std::uint32_t upper = float_to_float<Format>(high[lane], x.option).bits;
    to[lane] = upper << 16 | float_to_float<Format>(low[lane], x.option).bits;
  });
}
struct HalfPair {
  static std::uint32_t apply(float high, float low) {
    return std::uint32_t{float_to_half(high)} << 16 | float_to_half(low);
  }
};
struct BfloatPair {
  static std::uint32_t apply(float high, float low) {
    return std::uint32_t{float_to_bfloat(high)} << 16 | float_to_bfloat(low);
  }
};
void decode_pair(Builder& b) {
  const bool half = b.type(0) == Type::f16x2;
  if (b.type(1) != Type::f32) b.fail("type of the source");
  const std::uint32_t option = take_modifiers(b);
  half ? bind<HalfPair>(b) : bind<BfloatPair>(b);
  b.x.option = option;
  if (option != 0) b.x.execute = half ? run_pair<Fp16> : run_pair<Bf16>;
  b.finish(3);
}

void decode_cvt(Builder& b) {
  if (b.type(0) == Type::f16x2 || b.type(0) == Type::bf16x2) return decode_pair(b);
  b.x.option = take_modifiers(b);
  b.x.width = static_cast<std::uint8_t>(b.loose_destination(0, bytes(b.type(0))));
  b.x.register_width = static_cast<std::uint8_t>(b.loose_source(0, 1, bytes(b.type(1))));
  if (is_float(b.type(1)) && !is_float(b.type(0)) && (b.x.option & kToInteger) == 0) b.fail("rounding");
  b.x.execute = pick_fast(b);
  if (b.x.execute == nullptr) b.x.execute = pick(b.type(0), b.type(1));
  if (b.x.execute == nullptr) b.fail("type");
  b.finish(2);
}

}  // namespace

const std::vector<DecoderEntry>& conversion_decoders() {
  static const std::vector<DecoderEntry> table = {{"cvt", decode_cvt}};
  return table;
}

}  // namespace software_gpu::ptx
