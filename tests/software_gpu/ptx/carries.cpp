// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/carries.hpp"

#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

__extension__ using Uint128 = unsigned __int128;

template <class T>
void run_carry(Warp& warp, const Instruction& x, Mask mask) {
  const bool product = x.source[2] != kNone;
  const std::uint32_t option = x.option;
  T* to = warp.lanes<T>(x.destination);
  Mask& flags = warp.predicate(kCarry);
  for_each_lane(mask, [&](int lane) {
    T left = warp.lanes<T>(x.source[0])[lane];
    T right = warp.lanes<T>(x.source[1])[lane];
    if (product) {
      left = static_cast<T>((Uint128{left} * right) >> ((option & kHigh) != 0 ? 8 * sizeof(T) : 0));
      right = warp.lanes<T>(x.source[2])[lane];
    }
    const T carry = (option & kCarryIn) != 0 ? flags >> lane & 1 : 0;
    Uint128 sum = 0;
    bool out = false;
    if ((option & kSubtract) != 0) {
      sum = Uint128{left} - Uint128{right} - carry;
      out = Uint128{left} < Uint128{right} + carry;
    } else {
      sum = Uint128{left} + Uint128{right} + carry;
      out = sum >> (8 * sizeof(T)) != 0;
    }
    to[lane] = static_cast<T>(sum);
    if ((option & kCarryOut) != 0) flags = (flags & ~(Mask{1} << lane)) | Mask{out} << lane;
  });
}

void decode_addc(Builder& b) {
  bind_carry(b, kCarryIn | (b.take("cc") ? kCarryOut : 0), 3);
}
void decode_subc(Builder& b) {
  bind_carry(b, kCarryIn | kSubtract | (b.take("cc") ? kCarryOut : 0), 3);
}
void decode_madc(Builder& b) {
  const std::uint32_t high = b.take_one_of({"lo", "hi"}) == 1 ? kHigh : 0;
  if (is_signed(b.type()) && high != 0) b.fail("a signed upper half with carry");
  bind_carry(b, kCarryIn | high | (b.take("cc") ? kCarryOut : 0), 4);
}

}  // namespace

void bind_carry(Builder& b, std::uint32_t option, std::size_t operand_count) {
  const std::size_t width = bytes(b.type());
  if (width < 4 || is_float(b.type())) b.fail("type");
  b.x.option = option;
  b.x.execute = width == 8 ? run_carry<std::uint64_t> : run_carry<std::uint32_t>;
  b.destination(0, width);
  for (std::size_t i = 1; i < operand_count; ++i) b.source(i - 1, i, width);
  b.finish(operand_count);
}

const std::vector<DecoderEntry>& carry_decoders() {
  static const std::vector<DecoderEntry> table = {{"addc", decode_addc}, {"subc", decode_subc}, {"madc", decode_madc}};
  return table;
}

}  // namespace software_gpu::ptx
