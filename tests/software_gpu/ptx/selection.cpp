// SPDX-License-Identifier: Apache-2.0
// testp, selp, slct.
#include <cmath>

#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

enum class Kind { finite, infinite, number, notanumber, normal, subnormal };
template <class T>
bool is_kind(T value, Kind kind) {
  switch (kind) {
    case Kind::finite:
      return std::isfinite(value);
    case Kind::infinite:
      return std::isinf(value);
    case Kind::number:
      return !std::isnan(value);
    case Kind::notanumber:
      return std::isnan(value);
    case Kind::normal:
      return std::isnormal(value);
    default:
      return std::fpclassify(value) == FP_SUBNORMAL;
  }
}
template <class T>
void run_testp(Warp& warp, const Instruction& x, Mask mask) {
  const T* a = warp.lanes<T>(x.source[0]);
  Mask result = 0;
  for (int lane = 0; lane < kLanes; ++lane) result |= Mask{is_kind(a[lane], static_cast<Kind>(x.option))} << lane;
  warp.set_predicate(x.destination, result, mask);
}
void decode_testp(Builder& b) {
  b.x.option =
      static_cast<std::uint32_t>(b.take_one_of({"finite", "infinite", "number", "notanumber", "normal", "subnormal"}));
  b.x.execute = b.type() == Type::f64 ? run_testp<double> : run_testp<float>;
  b.predicate_destination(0);
  b.source(0, 1, bytes(b.type()));
  b.finish(2);
}

template <class T>
void run_selp(Warp& warp, const Instruction& x, Mask mask) {
  const T *a = warp.lanes<T>(x.source[0]), *b = warp.lanes<T>(x.source[1]);
  const Mask choice = warp.predicate(x.source[2]) ^ ((x.option & 1) != 0 ? kAllLanes : 0);
  alignas(64) T result[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) result[lane] = (choice >> lane & 1) != 0 ? a[lane] : b[lane];
  store_lanes(warp.lanes<T>(x.destination), result, mask);
}
void decode_selp(Builder& b) {
  const std::size_t width = bytes(b.type());
  b.x.execute = width == 2 ? run_selp<std::uint16_t> : width == 8 ? run_selp<std::uint64_t> : run_selp<std::uint32_t>;
  b.destination(0, width);
  b.source(0, 1, width);
  b.source(1, 2, width);
  b.predicate_source(2, 3);
  b.x.option = b.operand(3).negated ? 1 : 0;
  b.finish(4);
}

/// d = c >= 0 ? a : b
template <class T, class C>
struct Slct {
  static T apply(T a, T b, C c) { return c >= 0 ? a : b; }
};
template <class C>
void bind_slct(Builder& b) {
  switch (bytes(b.type(0))) {
    case 2:
      return bind<Slct<std::uint16_t, C>>(b);
    case 4:
      return bind<Slct<std::uint32_t, C>>(b);
    default:
      return bind<Slct<std::uint64_t, C>>(b);
  }
}
void decode_slct(Builder& b) {
  b.take("ftz");  // a negative subnormal number counts as -0, which is not below 0
  if (b.type(1) == Type::f32) {
    bind_slct<float>(b);
  } else {
    bind_slct<std::int32_t>(b);
  }
  b.finish(4);
}

}  // namespace

const std::vector<DecoderEntry>& selection_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"testp", decode_testp}, {"selp", decode_selp}, {"slct", decode_slct}};
  return table;
}

}  // namespace software_gpu::ptx
