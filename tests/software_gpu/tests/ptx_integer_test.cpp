// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

constexpr std::uint64_t kMax32 = 0x7FFFFFFF, kMin32 = 0x80000000, kAll32 = 0xFFFFFFFF;
constexpr std::uint64_t kMin64 = 0x8000000000000000, kAll64 = 0xFFFFFFFFFFFFFFFF;

TEST(PtxInteger, SumsAndDifferences) {
  check_cases("sum", {
                         {"add.s32 %r0, %r1, %r2;", {7, kAll32 - 2}, 4},
                         {"add.u32 %r0, %r1, 5;", {kAll32}, 4},
                         {"add.s16 %h0, %h1, %h2;", {0x7FFF, 1}, 0x8000},
                         {"add.u16 %h0, %h1, %h2;", {0xFFFF, 2}, 1},
                         {"add.s64 %d0, %d1, %d2;", {kAll64, 3}, 2},
                         {"add.u64 %d0, %d1, -16;", {32}, 16},
                         {"add.sat.s32 %r0, %r1, %r2;", {kMax32, 1}, kMax32},
                         {"add.sat.s32 %r0, %r1, %r2;", {kMin32, kAll32}, kMin32},
                         {"add.sat.s32 %r0, %r1, %r2;", {5, 6}, 11},
                         {"sub.s32 %r0, %r1, %r2;", {3, 5}, 0xFFFFFFFE},
                         {"sub.sat.s32 %r0, %r1, %r2;", {kMin32, 1}, kMin32},
                         {"sub.u16 %h0, %h1, %h2;", {0, 1}, 0xFFFF},
                         {"sub.s64 %d0, %d1, %d2;", {0, 1}, kAll64},
                         {"neg.s32 %r0, %r1;", {5}, 0xFFFFFFFB},
                         {"neg.s32 %r0, %r1;", {kMin32}, kMin32},
                         {"neg.s16 %h0, %h1;", {1}, 0xFFFF},
                         {"neg.s64 %d0, %d1;", {1}, kAll64},
                         {"abs.s32 %r0, %r1;", {0xFFFFFFFB}, 5},
                         {"abs.s32 %r0, %r1;", {kMin32}, kMin32},
                         {"abs.s64 %d0, %d1;", {kAll64}, 1},
                         {"abs.s16 %h0, %h1;", {0xFFFE}, 2},
                         {"sad.u32 %r0, %r1, %r2, %r3;", {3, 10, 100}, 107},
                         {"sad.s32 %r0, %r1, %r2, %r3;", {0xFFFFFFFF, 1, 100}, 102},
                     });
}

TEST(PtxInteger, Carries) {
  check_cases(
      "carry",
      {
          {"add.cc.u32 %r3, %r1, %r2; addc.u32 %r0, 0, 0;", {kAll32, 1}, 1},
          {"add.cc.u32 %r3, %r1, %r2; addc.u32 %r0, 4, 5;", {1, 1}, 9},
          {"add.cc.u32 %r3, %r1, 1; addc.cc.u32 %r4, %r2, 0; addc.u32 %r0, 0, 0;", {kAll32, kAll32}, 1},
          {"sub.cc.u32 %r3, %r1, %r2; subc.u32 %r0, 9, 2;", {1, 2}, 6},
          {"sub.cc.u32 %r3, %r1, %r2; subc.u32 %r0, 9, 2;", {2, 2}, 7},
          {"add.cc.u64 %d3, %d1, %d2; addc.u64 %d0, 0, 0;", {kAll64, kAll64}, 1},
          {"mad.lo.cc.u32 %r4, %r1, %r2, %r3; madc.hi.u32 %r0, %r1, %r2, 0;", {0x10000, 0x10001, 0xFFFFFFFF}, 2},
          {"mad.lo.cc.u32 %r4, %r1, %r2, %r3; madc.lo.u32 %r0, 3, 4, 5;", {2, 3, kAll32}, 18},
      });
}

TEST(PtxInteger, Products) {
  check_cases("product", {
                             {"mul.lo.s32 %r0, %r1, %r2;", {100000, 100000}, 0x540BE400},
                             {"mul.lo.u32 %r0, %r1, %r2;", {kAll32, kAll32}, 1},
                             {"mul.hi.u32 %r0, %r1, %r2;", {kAll32, kAll32}, 0xFFFFFFFE},
                             {"mul.hi.s32 %r0, %r1, %r2;", {kAll32, 5}, kAll32},
                             {"mul.hi.u32 %r0, %r1, %r2;", {0xD2511F53, 12345}, 10142},
                             {"mul.wide.u32 %d0, %r1, %r2;", {kAll32, kAll32}, 0xFFFFFFFE00000001},
                             {"mul.wide.s32 %d0, %r1, %r2;", {kAll32, 5}, 0xFFFFFFFFFFFFFFFB},
                             {"mul.wide.u16 %r0, %h1, %h2;", {0xFFFF, 0xFFFF}, 0xFFFE0001},
                             {"mul.wide.s16 %r0, %h1, %h2;", {0xFFFF, 2}, 0xFFFFFFFE},
                             {"mul.lo.s16 %h0, %h1, %h2;", {300, 300}, 0x5F90},
                             {"mul.hi.u16 %h0, %h1, %h2;", {300, 300}, 1},
                             {"mul.lo.u64 %d0, %d1, %d2;", {kAll64, 3}, 0xFFFFFFFFFFFFFFFD},
                             {"mul.hi.u64 %d0, %d1, %d2;", {kAll64, kAll64}, 0xFFFFFFFFFFFFFFFE},
                             {"mul.hi.s64 %d0, %d1, %d2;", {kAll64, 5}, kAll64},
                             {"mad.lo.s32 %r0, %r1, %r2, %r3;", {3, 4, 5}, 17},
                             {"mad.lo.s16 %h0, %h1, %h2, %h3;", {3, 4, 0xFFFF}, 11},
                             {"mad.hi.u32 %r0, %r1, %r2, %r3;", {kMin32, 4, 5}, 7},
                             {"mad.hi.sat.s32 %r0, %r1, %r2, %r3;", {0x40000000, 0x40000000, kMax32}, kMax32},
                             {"mad.wide.u32 %d0, %r1, %r2, %d3;", {kAll32, 2, 2}, 0x200000000},
                             {"mad.wide.s32 %d0, %r1, %r2, %d3;", {kAll32, 2, 1}, kAll64},
                             {"mad.wide.u16 %r0, %h1, %h2, %r3;", {0xFFFF, 2, 2}, 0x20000},
                             {"mul24.lo.u32 %r0, %r1, %r2;", {0xFF000003, 5}, 15},
                             {"mul24.hi.u32 %r0, %r1, %r2;", {0x00FFFFFF, 0x00FFFFFF}, 0xFFFFFE00},
                             {"mul24.lo.s32 %r0, %r1, %r2;", {0x00FFFFFF, 3}, 0xFFFFFFFD},
                             {"mad24.lo.u32 %r0, %r1, %r2, %r3;", {3, 4, 5}, 17},
                             {"dp4a.u32.u32 %r0, %r1, %r2, %r3;", {0x01020304, 0x01010101, 10}, 20},
                             {"dp4a.s32.s32 %r0, %r1, %r2, %r3;", {0xFF000000, 0x02000000, 10}, 8},
                             {"dp4a.s32.u32 %r0, %r1, %r2, %r3;", {0x000000FF, 0x000000FF, 0}, 0xFFFFFF01},
                         });
}

TEST(PtxInteger, Quotients) {
  check_cases("quotient", {
                              {"div.s32 %r0, %r1, %r2;", {0xFFFFFFF9, 2}, 0xFFFFFFFD},
                              {"div.u32 %r0, %r1, %r2;", {0xFFFFFFF9, 2}, 0x7FFFFFFC},
                              {"div.s32 %r0, %r1, %r2;", {kMin32, kAll32}, kMin32},
                              {"div.u32 %r0, %r1, %r2;", {5, 0}, kAll32},
                              {"div.s64 %d0, %d1, %d2;", {0xFFFFFFFFFFFFFFF9, 2}, 0xFFFFFFFFFFFFFFFD},
                              {"div.u64 %d0, %d1, %d2;", {kAll64, 16}, 0x0FFFFFFFFFFFFFFF},
                              {"div.u16 %h0, %h1, %h2;", {1000, 7}, 142},
                              {"rem.s32 %r0, %r1, %r2;", {0xFFFFFFF9, 2}, kAll32},
                              {"rem.s32 %r0, %r1, %r2;", {kMin32, kAll32}, 0},
                              {"rem.u32 %r0, %r1, %r2;", {1000, 7}, 6},
                              {"rem.u64 %d0, %d1, %d2;", {kAll64, 10}, 5},
                              {"rem.s16 %h0, %h1, %h2;", {0xFFF9, 4}, 0xFFFD},
                              {"min.s32 %r0, %r1, %r2;", {kAll32, 1}, kAll32},
                              {"min.u32 %r0, %r1, %r2;", {kAll32, 1}, 1},
                              {"max.s32 %r0, %r1, %r2;", {kAll32, 1}, 1},
                              {"max.u32 %r0, %r1, %r2;", {kAll32, 1}, kAll32},
                              {"min.s64 %d0, %d1, %d2;", {kMin64, 1}, kMin64},
                              {"max.u64 %d0, %d1, %d2;", {kMin64, 1}, kMin64},
                              {"min.s16 %h0, %h1, %h2;", {0xFFFF, 1}, 0xFFFF},
                              {"max.u16 %h0, %h1, %h2;", {0xFFFF, 1}, 0xFFFF},
                          });
}

TEST(PtxInteger, LogicAndShifts) {
  check_cases("logic", {
                           {"and.b32 %r0, %r1, %r2;", {0xF0F0, 0xFF00}, 0xF000},
                           {"or.b16 %h0, %h1, %h2;", {0xF0, 0x0F}, 0xFF},
                           {"xor.b64 %d0, %d1, %d2;", {kAll64, 0xFF}, 0xFFFFFFFFFFFFFF00},
                           {"not.b32 %r0, %r1;", {0}, kAll32},
                           {"not.b16 %h0, %h1;", {0xFF}, 0xFF00},
                           {"not.b64 %d0, %d1;", {1}, 0xFFFFFFFFFFFFFFFE},
                           {"cnot.b32 %r0, %r1;", {0}, 1},
                           {"cnot.b32 %r0, %r1;", {7}, 0},
                           {"and.pred %p0, %p1, %p2;", {1, 0}, 0},
                           {"and.pred %p0, %p1, !%p2;", {1, 0}, 1},
                           {"or.pred %p0, %p1, %p2;", {1, 0}, 1},
                           {"xor.pred %p0, %p1, %p2;", {1, 1}, 0},
                           {"not.pred %p0, %p1;", {0}, 1},
                           {"mov.pred %p0, %p1;", {1}, 1},
                           {"shl.b32 %r0, %r1, %r2;", {3, 4}, 48},
                           {"shl.b32 %r0, %r1, %r2;", {3, 32}, 0},
                           {"shl.b16 %h0, %h1, %r2;", {0x1234, 8}, 0x3400},
                           {"shl.b64 %d0, %d1, %r2;", {1, 63}, kMin64},
                           {"shl.b64 %d0, %d1, %r2;", {1, 64}, 0},
                           {"shr.u32 %r0, %r1, %r2;", {kMin32, 31}, 1},
                           {"shr.u32 %r0, %r1, %r2;", {kMin32, 40}, 0},
                           {"shr.s32 %r0, %r1, %r2;", {kMin32, 40}, kAll32},
                           {"shr.s32 %r0, %r1, %r2;", {kMin32, 4}, 0xF8000000},
                           {"shr.u16 %h0, %h1, %r2;", {0x8000, 8}, 0x80},
                           {"shr.s16 %h0, %h1, %r2;", {0x8000, 8}, 0xFF80},
                           {"shr.b64 %d0, %d1, %r2;", {kMin64, 63}, 1},
                           {"shr.s64 %d0, %d1, %r2;", {kMin64, 63}, kAll64},
                           {"shf.l.wrap.b32 %r0, %r1, %r2, %r3;", {0x80000001, 0x12345678, 36}, 0x23456788},
                           {"shf.l.clamp.b32 %r0, %r1, %r2, %r3;", {0x80000001, 0x12345678, 36}, 0x80000001},
                           {"shf.r.wrap.b32 %r0, %r1, %r2, %r3;", {0x80000001, 0x12345678, 4}, 0x88000000},
                           {"shf.r.clamp.b32 %r0, %r1, %r2, %r3;", {0x80000001, 0x12345678, 99}, 0x12345678},
                           {"lop3.b32 %r0, %r1, %r2, %r3, 0xE8;", {0xF0, 0xCC, 0xAA}, 0xE8},
                           {"lop3.b32 %r0, %r1, %r2, %r3, 0x96;", {0xF0, 0xCC, 0xAA}, 0x96},
                           {"lop3.b32 %r0, %r1, %r2, %r3, 0x01;", {0xF0, 0xCC, 0xAA}, 0xFFFFFF01},
                       });
}

TEST(PtxInteger, Bits) {
  check_cases("bits", {
                          {"popc.b32 %r0, %r1;", {0xF0F0F0F1}, 17},
                          {"popc.b64 %r0, %d1;", {kAll64}, 64},
                          {"clz.b32 %r0, %r1;", {0}, 32},
                          {"clz.b32 %r0, %r1;", {0x00010000}, 15},
                          {"clz.b64 %r0, %d1;", {1}, 63},
                          {"brev.b32 %r0, %r1;", {0x00000003}, 0xC0000000},
                          {"brev.b64 %d0, %d1;", {1}, kMin64},
                          {"bfind.u32 %r0, %r1;", {0x00010000}, 16},
                          {"bfind.u32 %r0, %r1;", {0}, kAll32},
                          {"bfind.s32 %r0, %r1;", {0xFFFFFFFE}, 0},
                          {"bfind.s32 %r0, %r1;", {kAll32}, kAll32},
                          {"bfind.shiftamt.u32 %r0, %r1;", {0x00010000}, 15},
                          {"bfind.shiftamt.s64 %r0, %d1;", {1}, 63},
                          {"bfind.u64 %r0, %d1;", {kMin64}, 63},
                          {"bfe.u32 %r0, %r1, 8, 8;", {0x12345678}, 0x56},
                          {"bfe.s32 %r0, %r1, 8, 8;", {0x1234F678}, 0xFFFFFFF6},
                          {"bfe.s32 %r0, %r1, 28, 8;", {0x92345678}, 0xFFFFFFF9},
                          {"bfe.u32 %r0, %r1, 0, 0;", {kAll32}, 0},
                          {"bfe.u32 %r0, %r1, 0, 32;", {0x92345678}, 0x92345678},
                          {"bfe.u64 %d0, %d1, 60, 4;", {kMin64}, 8},
                          {"bfe.s64 %d0, %d1, 60, 4;", {kMin64}, 0xFFFFFFFFFFFFFFF8},
                          {"bfi.b32 %r0, %r1, %r2, 8, 8;", {0xAB, 0x12345678}, 0x1234AB78},
                          {"bfi.b32 %r0, %r1, %r2, 0, 32;", {0xAB, 0x12345678}, 0xAB},
                          {"bfi.b64 %d0, %d1, %d2, 32, 16;", {0xABCD, 0}, 0x0000ABCD00000000},
                          {"bmsk.clamp.b32 %r0, %r1, %r2;", {4, 8}, 0xFF0},
                          {"bmsk.wrap.b32 %r0, %r1, %r2;", {36, 8}, 0xFF0},
                          {"prmt.b32 %r0, %r1, %r2, 0x7531;", {0x33221100, 0x77665544}, 0x77553311},
                          {"prmt.b32 %r0, %r1, %r2, 0x000B;", {0x80221100, 0x77665544}, 0x000000FF},
                          {"prmt.b32.f4e %r0, %r1, %r2, 1;", {0x33221100, 0x77665544}, 0x44332211},
                          {"prmt.b32.b4e %r0, %r1, %r2, 0;", {0x33221100, 0x77665544}, 0x55667700},
                          {"prmt.b32.rc8 %r0, %r1, %r2, 2;", {0x33221100, 0x77665544}, 0x22222222},
                          {"prmt.b32.ecl %r0, %r1, %r2, 1;", {0x33221100, 0x77665544}, 0x33221111},
                          {"prmt.b32.ecr %r0, %r1, %r2, 1;", {0x33221100, 0x77665544}, 0x11111100},
                          {"prmt.b32.rc16 %r0, %r1, %r2, 1;", {0x33221100, 0x77665544}, 0x33223322},
                      });
}

}  // namespace
}  // namespace software_gpu::testing
