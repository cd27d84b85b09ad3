// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

constexpr std::uint64_t kOne = 0x3F800000, kTwo = 0x40000000, kNan = 0x7FC00000;

/// All fourteen relations for one pair of operands, as bits: eq ne lt le gt ge equ neu ltu leu gtu geu num nan.
std::vector<Case> relations(const std::string& type, char cls, std::uint64_t a, std::uint64_t b, unsigned truth) {
  constexpr const char* kNames[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                    "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  const std::string operands = std::string(" %p0, %") + cls + "1, %" + cls + "2;";
  std::vector<Case> cases;
  for (unsigned i = 0; i < 14; ++i)
    cases.push_back({std::string("setp.") + kNames[i] + "." + type + operands, {a, b}, truth >> i & 1});
  return cases;
}

constexpr unsigned kLess = 0b01001110001110, kEqual = 0b01101001101001, kGreater = 0b01110010110010,
                   kUnordered = 0b10111111000000;

TEST(PtxComparison, Relations) {
  check_cases("less", relations("f32", 'r', kOne, kTwo, kLess));
  check_cases("equal", relations("f32", 'r', 0, 0x80000000, kEqual));
  check_cases("greater", relations("f64", 'd', 0x4000000000000000, 0x3FF0000000000000, kGreater));
  check_cases("unordered", relations("f32", 'r', kNan, kNan, kUnordered));
  check_cases("unordered64", relations("f64", 'd', 0x3FF0000000000000, 0x7FF8000000000000, kUnordered));
  check_cases("relhalf", relations("f16", 'h', 0x3C00, 0x4000, kLess));
  check_cases("relhalfnan", relations("f16", 'h', 0x7E00, 0x4000, kUnordered));
  check_cases("relbfloat", relations("bf16", 'h', 0x4000, 0x3F80, kGreater));
}

TEST(PtxComparison, Integers) {
  check_cases("setp", {
                          {"setp.lt.s32 %p0, %r1, %r2;", {0xFFFFFFFF, 1}, 1},
                          {"setp.lt.u32 %p0, %r1, %r2;", {0xFFFFFFFF, 1}, 0},
                          {"setp.lo.u32 %p0, %r1, %r2;", {1, 2}, 1},
                          {"setp.ls.u32 %p0, %r1, %r2;", {2, 2}, 1},
                          {"setp.hi.u32 %p0, %r1, %r2;", {2, 2}, 0},
                          {"setp.hs.u32 %p0, %r1, %r2;", {2, 2}, 1},
                          {"setp.eq.b16 %p0, %h1, %h2;", {0xFFFF, 0xFFFF}, 1},
                          {"setp.ge.s16 %p0, %h1, 0;", {0xFFFF}, 0},
                          {"setp.gt.u64 %p0, %d1, %d2;", {0x8000000000000000, 1}, 1},
                          {"setp.gt.s64 %p0, %d1, %d2;", {0x8000000000000000, 1}, 0},
                          {"setp.ne.b64 %p0, %d1, 0;", {1}, 1},
                          {"setp.lt.and.s32 %p0, %r1, %r2, %p3;", {1, 2, 0}, 0},
                          {"setp.lt.and.s32 %p0, %r1, %r2, !%p3;", {1, 2, 0}, 1},
                          {"setp.lt.or.s32 %p0, %r1, %r2, %p3;", {3, 2, 1}, 1},
                          {"setp.lt.xor.s32 %p0, %r1, %r2, %p3;", {1, 2, 1}, 0},
                          {"setp.lt.s32 %p9|%p0, %r1, %r2;", {1, 2}, 0},
                          {"setp.lt.and.s32 %p9|%p0, %r1, %r2, %p3;", {3, 2, 1}, 1},
                          {"setp.lt.ftz.f32 %p0, %r1, %r2;", {0, 1}, 0},
                          {"setp.lt.f32 %p0, %r1, %r2;", {0, 1}, 1},
                          {"setp.gt.f16x2 %p0|%p9, %r1, %r2;", {0x3C004000, 0x40003C00}, 1},
                          {"setp.gt.f16x2 %p9|%p0, %r1, %r2;", {0x3C004000, 0x40003C00}, 0},
                      });
}

TEST(PtxComparison, SetAndTest) {
  check_cases("set", {
                         {"set.lt.u32.s32 %r0, %r1, %r2;", {0xFFFFFFFF, 1}, 0xFFFFFFFF},
                         {"set.lt.f32.f32 %r0, %r1, %r2;", {kOne, kTwo}, kOne},
                         {"set.eq.f16.f16 %h0, %h1, %h2;", {0x3C00, 0x3C00}, 0x3C00},
                         {"set.gt.u16.f16 %h0, %h1, %h2;", {0x3C00, 0x3C00}, 0},
                         {"set.gt.bf16.bf16 %h0, %h1, %h2;", {0x4000, 0x3F80}, 0x3F80},
                         {"set.gt.f16x2.f16x2 %r0, %r1, %r2;", {0x40003C00, 0x3C004000}, 0x3C000000},
                         {"set.neu.u32.f16x2 %r0, %r1, %r2;", {0x7E003C00, 0x3C003C00}, 0xFFFF0000},
                         {"set.lt.and.u32.f32 %r0, %r1, %r2, %p3;", {kOne, kTwo, 0}, 0},
                         {"testp.finite.f32 %p0, %r1;", {kOne}, 1},
                         {"testp.finite.f32 %p0, %r1;", {kNan}, 0},
                         {"testp.infinite.f64 %p0, %d1;", {0x7FF0000000000000}, 1},
                         {"testp.number.f32 %p0, %r1;", {0x7F800000}, 1},
                         {"testp.notanumber.f32 %p0, %r1;", {kNan}, 1},
                         {"testp.normal.f32 %p0, %r1;", {1}, 0},
                         {"testp.subnormal.f32 %p0, %r1;", {1}, 1},
                         {"testp.subnormal.f32 %p0, %r1;", {0}, 0},
                     });
}

}  // namespace
}  // namespace software_gpu::testing
