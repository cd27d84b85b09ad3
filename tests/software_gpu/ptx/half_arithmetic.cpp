// SPDX-License-Identifier: Apache-2.0
// f16, bf16 and packed pairs. A sum, difference or product is formed in FP32, whose 24 bits are at least 2p + 2 for
// both formats, so that the second rounding is harmless (Figueroa 1995); fma goes through rounding to odd.
#include "tests/software_gpu/ptx/float_functions.hpp"
#include "tests/software_gpu/ptx/half.hpp"

namespace software_gpu::ptx {
namespace {

using Bits = std::uint16_t;

/// Rounded to odd: the last bit says that something was cut off.
float double_to_float_odd(double value) {
  const float nearest = static_cast<float>(value);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
  const double back = nearest;
  const std::uint32_t step = std::fabs(back) > std::fabs(value) ? bits - 1 : bits + 1;
  const bool inexact = back != value && (bits & 1) == 0 && value == value;
  return std::bit_cast<float>(inexact ? step : bits);
}

struct Fp16 {
  static float widen(Bits bits) { return half_to_float(bits); }
  static Bits narrow(float value) { return float_to_half(value); }
  static Bits flush_bits(Bits bits) { return (bits & 0x7C00u) == 0 ? bits & 0x8000u : bits; }
};
struct Bf16 {
  static float widen(Bits bits) { return bfloat_to_float(bits); }
  static Bits narrow(float value) { return float_to_bfloat(value); }
  static Bits flush_bits(Bits bits) { return (bits & 0x7F80u) == 0 ? bits & 0x8000u : bits; }
};

template <class Format>
struct Add {
  static Bits apply(Bits a, Bits b) { return Format::narrow(Format::widen(a) + Format::widen(b)); }
};
template <class Format>
struct Sub {
  static Bits apply(Bits a, Bits b) { return Format::narrow(Format::widen(a) - Format::widen(b)); }
};
template <class Format>
struct Mul {
  static Bits apply(Bits a, Bits b) { return Format::narrow(Format::widen(a) * Format::widen(b)); }
};
template <class Format>
struct Fma {
  static Bits apply(Bits a, Bits b, Bits c) {
    return Format::narrow(double_to_float_odd(fused_to_odd(Format::widen(a), Format::widen(b), Format::widen(c))));
  }
};
template <class Format>
struct Min {
  static Bits apply(Bits a, Bits b) {
    const float x = Format::widen(a), y = Format::widen(b);
    const Bits result = x < y || y != y || (x == y && (a & 0x8000u) != 0) ? a : b;
    return x != x && y != y ? 0x7FFF : result;
  }
};
template <class Format>
struct Max {
  static Bits apply(Bits a, Bits b) {
    const float x = Format::widen(a), y = Format::widen(b);
    const Bits result = x > y || y != y || (x == y && (a & 0x8000u) == 0) ? a : b;
    return x != x && y != y ? 0x7FFF : result;
  }
};
template <class Format, template <class> class F>
struct NanWins {
  static Bits apply(Bits a, Bits b) {
    const float x = Format::widen(a), y = Format::widen(b);
    return x != x || y != y ? 0x7FFF : F<Format>::apply(a, b);
  }
};
template <class Format>
struct MinNan : NanWins<Format, Min> {};
template <class Format>
struct MaxNan : NanWins<Format, Max> {};
template <class Format>
struct Neg {
  static Bits apply(Bits a) { return a ^ 0x8000u; }
};
template <class Format>
struct Abs {
  static Bits apply(Bits a) { return a & 0x7FFFu; }
};

/// What happens to a result: `.sat` clamps to [0, 1] and NaN to 0, `.relu` negative numbers to 0.
enum class Clamp { none, saturate, relu };

template <class Format, class F, bool kFlush, Clamp kClamp, class Signature = decltype(&F::apply)>
struct Adjusted;
template <class Format, class F, bool kFlush, Clamp kClamp, class... S>
struct Adjusted<Format, F, kFlush, kClamp, Bits (*)(S...)> {
  static Bits apply(S... s) {
    Bits result = 0;
    if constexpr (kFlush) {
      result = Format::flush_bits(F::apply(Format::flush_bits(s)...));
    } else {
      result = F::apply(s...);
    }
    if constexpr (kClamp == Clamp::saturate) return Format::narrow(saturate(Format::widen(result)));
    if constexpr (kClamp == Clamp::relu) return Format::widen(result) < 0 || result == 0x8000u ? Bits{0} : result;
    return result;
  }
};

template <class F, class Signature = decltype(&F::apply)>
struct Packed;
template <class F, class... S>
struct Packed<F, Bits (*)(S...)> {
  template <class>
  using Word = std::uint32_t;
  static std::uint32_t apply(Word<S>... s) {
    const std::uint32_t low = F::apply(static_cast<Bits>(s & 0xFFFFu)...);
    const std::uint32_t high = F::apply(static_cast<Bits>(s >> 16)...);
    return low | high << 16;
  }
};

template <class Format, class F, bool kFlush, Clamp kClamp>
void bind_packed(Builder& b) {
  using Function = Adjusted<Format, F, kFlush, kClamp>;
  const bool packed = b.type() == Type::f16x2 || b.type() == Type::bf16x2;
  packed ? bind<Packed<Function>>(b) : bind<Function>(b);
}
template <class Format, class F>
void bind_adjusted(Builder& b) {
  const bool ftz = b.take("ftz");
  if (b.take("sat")) {
    return ftz ? bind_packed<Format, F, true, Clamp::saturate>(b) : bind_packed<Format, F, false, Clamp::saturate>(b);
  }
  if (b.take("relu")) {
    return ftz ? bind_packed<Format, F, true, Clamp::relu>(b) : bind_packed<Format, F, false, Clamp::relu>(b);
  }
  ftz ? bind_packed<Format, F, true, Clamp::none>(b) : bind_packed<Format, F, false, Clamp::none>(b);
}
template <template <class> class F, std::size_t kOperands>
void decode(Builder& b) {
  b.take("rn");
  const bool bfloat = b.type() == Type::bf16 || b.type() == Type::bf16x2;
  bfloat ? bind_adjusted<Bf16, F<Bf16>>(b) : bind_adjusted<Fp16, F<Fp16>>(b);
  b.finish(kOperands);
}
void decode_min(Builder& b) {
  b.take("NaN") ? decode<MinNan, 3>(b) : decode<Min, 3>(b);
}
void decode_max(Builder& b) {
  b.take("NaN") ? decode<MaxNan, 3>(b) : decode<Max, 3>(b);
}

}  // namespace

const std::vector<DecoderEntry>& half_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"add", decode<Add, 3>}, {"sub", decode<Sub, 3>}, {"mul", decode<Mul, 3>}, {"fma", decode<Fma, 4>},
      {"min", decode_min},     {"max", decode_max},     {"neg", decode<Neg, 2>}, {"abs", decode<Abs, 2>},
  };
  return table;
}

}  // namespace software_gpu::ptx
