// SPDX-License-Identifier: Apache-2.0
// ex2, lg2, rcp, sqrt, rsqrt, sin, cos, tanh. The approximate ones are computed in FP64 and rounded once, so they are
// at least as exact as the hardware's, whose error bounds the PTX manual gives; results may differ from it in the last
// bits.
#include "tests/software_gpu/ptx/float_functions.hpp"
#include "tests/software_gpu/ptx/half.hpp"

namespace software_gpu::ptx {
namespace {

double ex2(double x) {
  return std::exp2(x);
}
double lg2(double x) {
  return std::log2(x);
}
double rcp(double x) {
  return 1.0 / x;
}
double rsqrt(double x) {
  return 1.0 / std::sqrt(x);
}
double square_root(double x) {
  return std::sqrt(x);
}
double sine(double x) {
  return std::sin(x);
}
double cosine(double x) {
  return std::cos(x);
}
double tangent(double x) {
  return std::tanh(x);
}

template <double (*kFunction)(double)>
struct Single {
  static constexpr bool kPerLane = true;
  static float apply(float x) { return static_cast<float>(kFunction(x)); }
};
template <double (*kFunction)(double)>
struct Double {
  static constexpr bool kPerLane = true;
  static double apply(double x) { return kFunction(x); }
};
struct SquareRoot {
  static float apply(float x) { return std::sqrt(x); }
};
struct Reciprocal {
  static float apply(float x) { return 1.0f / x; }
};
/// rcp.approx.ftz.f64: the upper 32 bits of the result, of the upper 32 bits of the operand.
struct ReciprocalUpper {
  static double apply(double x) {
    constexpr std::uint64_t kUpper = 0xFFFFFFFF00000000u;
    const auto flushed = [](std::uint64_t bits) {
      return (bits & 0x7FF0000000000000u) == 0 ? bits & (1ull << 63) : bits;
    };
    const std::uint64_t operand = flushed(std::bit_cast<std::uint64_t>(x) & kUpper);
    return std::bit_cast<double>(flushed(std::bit_cast<std::uint64_t>(1.0 / std::bit_cast<double>(operand)) & kUpper));
  }
};
template <double (*kFunction)(double)>
struct Half {
  static constexpr bool kPerLane = true;
  static std::uint16_t apply(std::uint16_t x) { return double_to_half(kFunction(half_to_float(x))); }
};
template <double (*kFunction)(double)>
struct Bfloat {
  static constexpr bool kPerLane = true;
  static std::uint16_t apply(std::uint16_t x) { return double_to_bfloat(kFunction(bfloat_to_float(x))); }
};
template <class F>
struct Pair {
  static constexpr bool kPerLane = true;
  static std::uint32_t apply(std::uint32_t x) {
    const std::uint32_t low = F::apply(static_cast<std::uint16_t>(x & 0xFFFFu));
    return low | static_cast<std::uint32_t>(F::apply(static_cast<std::uint16_t>(x >> 16))) << 16;
  }
};

template <double (*kFunction)(double)>
void decode_approximate(Builder& b) {
  if (!b.take("approx")) b.fail("only .approx");
  switch (b.type()) {
    case Type::f32:
      bind_modified<Single<kFunction>>(b);
      break;
    case Type::f16:
      bind<Half<kFunction>>(b);
      break;
    case Type::f16x2:
      bind<Pair<Half<kFunction>>>(b);
      break;
    case Type::bf16:
      b.take("ftz"), bind<Bfloat<kFunction>>(b);
      break;
    case Type::bf16x2:
      b.take("ftz"), bind<Pair<Bfloat<kFunction>>>(b);
      break;
    case Type::f64:
      b.take("ftz"), bind<Double<kFunction>>(b);
      break;
    default:
      b.fail("type");
  }
  b.finish(2);
}
void decode_sqrt(Builder& b) {
  if (b.take("approx")) {
    bind_modified<SquareRoot>(b);
  } else if (!bind_directed(b, DirectedOperation::sqrt)) {
    b.type() == Type::f64 ? bind<Double<square_root>>(b) : bind_modified<SquareRoot>(b);
  }
  b.finish(2);
}
void decode_rcp(Builder& b) {
  if (b.take("approx")) {
    if (b.type() == Type::f64) {
      if (!b.take("ftz")) b.fail("only .approx.ftz");
      bind<ReciprocalUpper>(b);
    } else {
      bind_modified<Reciprocal>(b);
    }
  } else {
    b.take_one_of({"rn"});
    b.type() == Type::f64 ? bind<Double<rcp>>(b) : bind_modified<Reciprocal>(b);
  }
  b.finish(2);
}

}  // namespace

const std::vector<DecoderEntry>& approximate_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"ex2", decode_approximate<ex2>},
      {"lg2", decode_approximate<lg2>},
      {"rsqrt", decode_approximate<rsqrt>},
      {"sin", decode_approximate<sine>},
      {"cos", decode_approximate<cosine>},
      {"tanh", decode_approximate<tangent>},
      {"sqrt", decode_sqrt},
      {"rcp", decode_rcp},
  };
  return table;
}

}  // namespace software_gpu::ptx
