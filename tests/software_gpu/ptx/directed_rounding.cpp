// SPDX-License-Identifier: Apache-2.0
// Compiled with -frounding-math: the rounding mode of the processor is changed around each instruction.
#include <cfenv>

#include "tests/software_gpu/ptx/float_functions.hpp"

namespace software_gpu::ptx {
namespace {

template <class T, DirectedOperation kOperation>
T calculate(T a, T b, T c) {
  switch (kOperation) {
    case DirectedOperation::add:
      return a + b;
    case DirectedOperation::sub:
      return a - b;
    case DirectedOperation::mul:
      return a * b;
    case DirectedOperation::div:
      return a / b;
    case DirectedOperation::sqrt:
      return std::sqrt(a);
    default:
      return std::fma(a, b, c);
  }
}

constexpr std::uint32_t kFlushBit = 16, kSaturateBit = 32;
constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

template <class T, DirectedOperation kOperation>
void run(Warp& warp, const Instruction& x, Mask mask) {
  const bool ftz = (x.option & kFlushBit) != 0;
  const auto read = [&](std::size_t i, int lane) {
    if (x.source[i] == kNone) return T{};
    const T value = warp.lanes<T>(x.source[i])[lane];
    return ftz ? flush(value) : value;
  };
  alignas(64) T result[kLanes] = {};
  std::fesetround(kModes[x.option & 3]);
  for_each_lane(
      mask, [&](int lane) { result[lane] = calculate<T, kOperation>(read(0, lane), read(1, lane), read(2, lane)); });
  std::fesetround(FE_TONEAREST);
  for (T& value : result) {
    if (ftz) value = flush(value);
    value = (x.option & kSaturateBit) != 0 ? saturate(value) : canonical(value);
  }
  store_lanes(warp.lanes<T>(x.destination), result, mask);
}

template <class T>
Handler handler(DirectedOperation operation) {
  switch (operation) {
    case DirectedOperation::add:
      return run<T, DirectedOperation::add>;
    case DirectedOperation::sub:
      return run<T, DirectedOperation::sub>;
    case DirectedOperation::mul:
      return run<T, DirectedOperation::mul>;
    case DirectedOperation::div:
      return run<T, DirectedOperation::div>;
    case DirectedOperation::sqrt:
      return run<T, DirectedOperation::sqrt>;
    default:
      return run<T, DirectedOperation::fma>;
  }
}

}  // namespace

bool bind_directed(Builder& b, DirectedOperation operation) {
  std::uint32_t mode = 0;
  if (b.take("rz")) mode = 1;
  if (b.take("rm")) mode = 2;
  if (b.take("rp")) mode = 3;
  if (mode == 0) {
    b.take("rn");
    return false;
  }
  b.x.option = mode | (b.take("ftz") ? kFlushBit : 0) | (b.take("sat") ? kSaturateBit : 0);
  const bool wide = b.type() == Type::f64;
  b.x.execute = wide ? handler<double>(operation) : handler<float>(operation);
  const std::size_t width = wide ? 8 : 4;
  b.destination(0, width);
  for (std::size_t i = 1; i < b.operands(); ++i) b.source(i - 1, i, width);
  return true;
}

}  // namespace software_gpu::ptx
