// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/float_functions.hpp"

namespace software_gpu::ptx {
namespace {

template <class T>
struct Add {
  static T apply(T a, T b) { return a + b; }
};
template <class T>
struct Sub {
  static T apply(T a, T b) { return a - b; }
};
template <class T>
struct Mul {
  static T apply(T a, T b) { return a * b; }
};
template <class T>
struct Div {
  static T apply(T a, T b) { return a / b; }
};
template <class T>
struct Fma {
  static T apply(T a, T b, T c) { return std::fma(a, b, c); }
};
/// div.approx: exact here; a divisor between 2^126 and 2^128 gives 0, as documented (NaN for an infinite dividend).
struct DivApproximate {
  static float apply(float a, float b) {
    const bool large = std::fabs(b) > 0x1p126f && std::fabs(b) <= std::numeric_limits<float>::max();
    return large ? a * 0.0f : a / b;
  }
};
template <class T>
struct Min {
  static T apply(T a, T b) { return a < b || b != b || (a == b && std::signbit(a)) ? a : b; }
};
template <class T>
struct Max {
  static T apply(T a, T b) { return a > b || b != b || (a == b && !std::signbit(a)) ? a : b; }
};
template <class F>
struct NanWins {
  static float apply(float a, float b) {
    const float result = F::apply(a, b);
    return a != a || b != b ? std::bit_cast<float>(kCanonicalNan) : result;
  }
};
template <class T>
struct Neg {
  static T apply(T a) { return -a; }
};
template <class T>
struct Abs {
  static T apply(T a) { return std::fabs(a); }
};
template <class T>
struct CopySign {
  static T apply(T sign, T magnitude) { return std::copysign(magnitude, sign); }
};
/// Neg and Abs change the sign of a NaN too, and nothing else of it.
struct NegFlushed {
  static float apply(float a) { return flush(-a); }
};
struct AbsFlushed {
  static float apply(float a) { return flush(std::fabs(a)); }
};

template <template <class> class F>
void bind_either(Builder& b) {
  b.type() == Type::f64 ? bind_modified<F<double>>(b) : bind_modified<F<float>>(b);
}
template <template <class> class F, DirectedOperation kOperation, std::size_t kOperands>
void decode_rounded(Builder& b) {
  if (!bind_directed(b, kOperation)) bind_either<F>(b);
  b.finish(kOperands);
}
void decode_div(Builder& b) {
  if (b.take("approx")) {
    bind_modified<DivApproximate>(b);
  } else if (b.take("full")) {
    bind_modified<Div<float>>(b);
  } else {
    return decode_rounded<Div, DirectedOperation::div, 3>(b);
  }
  b.finish(3);
}
template <template <class> class F>
void decode_min_max(Builder& b) {
  b.take("NaN") ? bind_modified<NanWins<F<float>>>(b) : bind_either<F>(b);
  b.finish(3);
}
template <template <class> class F, class Flushed>
void decode_sign(Builder& b) {
  if (b.take("ftz")) {
    bind<Flushed>(b);
  } else {
    b.type() == Type::f64 ? bind<F<double>>(b) : bind<F<float>>(b);
  }
  b.finish(2);
}
void decode_copysign(Builder& b) {
  b.type() == Type::f64 ? bind<CopySign<double>>(b) : bind<CopySign<float>>(b);
  b.finish(3);
}

}  // namespace

const std::vector<DecoderEntry>& single_and_double_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"add", decode_rounded<Add, DirectedOperation::add, 3>},
      {"sub", decode_rounded<Sub, DirectedOperation::sub, 3>},
      {"mul", decode_rounded<Mul, DirectedOperation::mul, 3>},
      {"fma", decode_rounded<Fma, DirectedOperation::fma, 4>},
      {"mad", decode_rounded<Fma, DirectedOperation::fma, 4>},
      {"div", decode_div},
      {"min", decode_min_max<Min>},
      {"max", decode_min_max<Max>},
      {"neg", decode_sign<Neg, NegFlushed>},
      {"abs", decode_sign<Abs, AbsFlushed>},
      {"copysign", decode_copysign},
  };
  return table;
}

}  // namespace software_gpu::ptx
