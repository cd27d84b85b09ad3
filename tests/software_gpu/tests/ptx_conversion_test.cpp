// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

constexpr std::uint64_t kAll64 = 0xFFFFFFFFFFFFFFFF;

TEST(PtxConversion, BetweenIntegers) {
  check_cases("integers", {
                              {"cvt.u64.u32 %d0, %r1;", {0xFFFFFFFF}, 0xFFFFFFFF},
                              {"cvt.s64.s32 %d0, %r1;", {0xFFFFFFFF}, kAll64},
                              {"cvt.u32.u64 %r0, %d1;", {0x123456789A}, 0x3456789A},
                              {"cvt.u16.u32 %h0, %r1;", {0x12345}, 0x2345},
                              {"cvt.u32.u16 %r0, %h1;", {0xFFFF}, 0xFFFF},
                              {"cvt.s32.s16 %r0, %h1;", {0xFFFF}, 0xFFFFFFFF},
                              {"cvt.s32.s8 %r0, %r1;", {0x1280}, 0xFFFFFF80},
                              {"cvt.u32.u8 %r0, %h1;", {0x1280}, 0x80},
                              {"cvt.u16.u8 %h0, %h1;", {0x1280}, 0x80},
                              {"cvt.s16.s8 %h0, %r1;", {0x80}, 0xFF80},
                              {"cvt.u8.u32 %r0, %r1;", {0x12345678}, 0x78},
                              {"cvt.s8.s32 %r0, %r1;", {0xF0}, 0xFFFFFFF0},
                              {"cvt.sat.s16.s32 %h0, %r1;", {100000}, 0x7FFF},
                              {"cvt.sat.u8.s32 %r0, %r1;", {0xFFFFFFFF}, 0},
                              {"cvt.sat.u8.u32 %r0, %r1;", {300}, 255},
                              {"cvt.sat.s32.s64 %r0, %d1;", {0x8000000000000000}, 0x80000000},
                          });
}

TEST(PtxConversion, FloatToInteger) {
  check_cases("tointeger", {
                               {"cvt.rzi.s32.f32 %r0, %r1;", {0xC0200000}, 0xFFFFFFFE},  // -2.5
                               {"cvt.rni.s32.f32 %r0, %r1;", {0x40200000}, 2},           // 2.5, to even
                               {"cvt.rmi.s32.f32 %r0, %r1;", {0xC0200000}, 0xFFFFFFFD},
                               {"cvt.rpi.s32.f32 %r0, %r1;", {0x40200000}, 3},
                               {"cvt.rzi.u32.f32 %r0, %r1;", {0xC0200000}, 0},
                               {"cvt.rzi.s32.f32 %r0, %r1;", {0x4F800000}, 0x7FFFFFFF},  // 2^32
                               {"cvt.rzi.u32.f32 %r0, %r1;", {0x4F800000}, 0xFFFFFFFF},
                               {"cvt.rzi.s32.f32 %r0, %r1;", {0x7FC00000}, 0},  // NaN
                               {"cvt.rzi.s64.f32 %d0, %r1;", {0x7FC00000}, 0x8000000000000000},
                               {"cvt.rzi.s32.f64 %r0, %d1;", {0x7FF8000000000000}, 0x80000000},
                               {"cvt.rzi.u64.f64 %d0, %d1;", {0x43E0000000000000}, 0x8000000000000000},
                               {"cvt.rni.s64.f64 %d0, %d1;", {0xC004000000000000}, 0xFFFFFFFFFFFFFFFE},
                               {"cvt.rzi.s32.f16 %r0, %h1;", {0xC500}, 0xFFFFFFFB},  // -5
                               {"cvt.rni.s16.f16 %h0, %h1;", {0x4100}, 2},
                               {"cvt.rzi.u8.f32 %r0, %r1;", {0x43960000}, 255},  // 300
                               {"cvt.rzi.ftz.s32.f32 %r0, %r1;", {1}, 0},
                               {"cvt.rpi.s32.f32 %r0, %r1;", {1}, 1},
                               {"cvt.rpi.ftz.s32.f32 %r0, %r1;", {1}, 0},
                               {"cvt.rzi.s32.bf16 %r0, %h1;", {0x4049}, 3},
                           });
}

TEST(PtxConversion, IntegerToFloat) {
  check_cases(
      "tofloat",
      {
          {"cvt.rn.f32.s32 %r0, %r1;", {0xFFFFFFFF}, 0xBF800000},
          {"cvt.rn.f32.u32 %r0, %r1;", {0xFFFFFFFF}, 0x4F800000},
          {"cvt.rz.f32.u32 %r0, %r1;", {0xFFFFFFFF}, 0x4F7FFFFF},
          {"cvt.rn.f32.s32 %r0, %r1;", {16777217}, 0x4B800000},
          {"cvt.rp.f32.s32 %r0, %r1;", {16777217}, 0x4B800001},
          {"cvt.rn.f64.s32 %d0, %r1;", {0xFFFFFFFF}, 0xBFF0000000000000},
          {"cvt.rn.f64.u64 %d0, %d1;", {kAll64}, 0x43F0000000000000},
          {"cvt.rn.f32.u64 %r0, %d1;", {kAll64}, 0x5F800000},
          {"cvt.rz.f32.u64 %r0, %d1;", {kAll64}, 0x5F7FFFFF},
          {"cvt.rn.f32.s64 %r0, %d1;", {kAll64}, 0xBF800000},
          {"cvt.rn.f16.s32 %h0, %r1;", {2049}, 0x6800},
          {"cvt.rn.f16.u32 %h0, %r1;", {70000}, 0x7C00},
          {"cvt.rz.f16.u32 %h0, %r1;", {70000}, 0x7BFF},
          {"cvt.rn.f16.u16 %h0, %h1;", {3}, 0x4200},
          {"cvt.rn.bf16.s32 %h0, %r1;", {257}, 0x4380},
          {"cvt.rn.bf16.u64 %h0, %d1;", {0x8080000000000001}, 0x5F01},  // just above a tie of BF16 and beyond 53 bits
          {"cvt.rn.f32.u8 %r0, %r1;", {0x1FF}, 0x437F0000},
      });
}

TEST(PtxConversion, BetweenFloats) {
  check_cases("floats", {
                            {"cvt.f32.f16 %r0, %h1;", {0x3C01}, 0x3F802000},
                            {"cvt.f32.f16 %r0, %h1;", {0x0001}, 0x33800000},
                            {"cvt.f32.f16 %r0, %h1;", {0xFC00}, 0xFF800000},
                            {"cvt.f32.f16 %r0, %h1;", {0x8000}, 0x80000000},
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x477FEFFF}, 0x7BFF},
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x477FF000}, 0x7C00},  // 65520
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x33000000}, 0x0000},  // 2^-25: a tie, to even
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x33000001}, 0x0001},
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x387FE000}, 0x0400},  // the step from subnormal to normal
                            {"cvt.rn.f16.f32 %h0, %r1;", {0x7FC00001}, 0x7FFF},
                            {"cvt.rz.f16.f32 %h0, %r1;", {0x477FF000}, 0x7BFF},
                            {"cvt.rp.f16.f32 %h0, %r1;", {0x3F800001}, 0x3C01},
                            {"cvt.rm.f16.f32 %h0, %r1;", {0xBF800001}, 0xBC01},
                            {"cvt.rn.sat.f16.f32 %h0, %r1;", {0x40000000}, 0x3C00},
                            {"cvt.rn.relu.f16.f32 %h0, %r1;", {0xBF800000}, 0},
                            {"cvt.f32.bf16 %r0, %h1;", {0x3F81}, 0x3F810000},
                            {"cvt.rn.bf16.f32 %h0, %r1;", {0x3F808000}, 0x3F80},
                            {"cvt.rn.bf16.f32 %h0, %r1;", {0x3F818000}, 0x3F82},
                            {"cvt.rz.bf16.f32 %h0, %r1;", {0x3F81FFFF}, 0x3F81},
                            {"cvt.rn.bf16.f32 %h0, %r1;", {0x7F7FFFFF}, 0x7F80},
                            {"cvt.rn.f16x2.f32 %r0, %r1, %r2;", {0x3F800000, 0x40000000}, 0x3C004000},
                            {"cvt.rn.bf16x2.f32 %r0, %r1, %r2;", {0x3F800000, 0x40000000}, 0x3F804000},
                            {"cvt.rn.relu.f16x2.f32 %r0, %r1, %r2;", {0xBF800000, 0x40000000}, 0x00004000},
                            {"cvt.f64.f32 %d0, %r1;", {0x3DCCCCCD}, 0x3FB99999A0000000},
                            {"cvt.rn.f32.f64 %r0, %d1;", {0x3FB999999999999A}, 0x3DCCCCCD},
                            {"cvt.rz.f32.f64 %r0, %d1;", {0x3FB999999999999A}, 0x3DCCCCCC},
                            {"cvt.rn.f32.f64 %r0, %d1;", {0x7FEFFFFFFFFFFFFF}, 0x7F800000},
                            {"cvt.rn.f16.f64 %h0, %d1;",
                             {0x3FF0020000000001},
                             0x3C01},  // just above a tie of FP16, which FP32 cannot see
                            {"cvt.f64.f16 %d0, %h1;", {0x3C00}, 0x3FF0000000000000},
                            {"cvt.rni.f32.f32 %r0, %r1;", {0x40200000}, 0x40000000},
                            {"cvt.rmi.f32.f32 %r0, %r1;", {0xBF000000}, 0xBF800000},
                            {"cvt.rpi.f32.f32 %r0, %r1;", {0xBF000000}, 0x80000000},
                            {"cvt.rzi.f64.f64 %d0, %d1;", {0x4004000000000000}, 0x4000000000000000},
                            {"cvt.sat.f32.f32 %r0, %r1;", {0x40000000}, 0x3F800000},
                            {"cvt.sat.f32.f32 %r0, %r1;", {0x7FC00000}, 0},
                            {"cvt.ftz.f32.f32 %r0, %r1;", {1}, 0},
                            {"cvt.rni.f16.f16 %h0, %h1;", {0x4100}, 0x4000},
                        });
}

TEST(PtxConversion, MovesAndPacking) {
  check_cases("move", {
                          {"mov.b32 %r0, %r1;", {0x12345678}, 0x12345678},
                          {"mov.f32 %r0, 0f3F800000;", {}, 0x3F800000},
                          {"mov.f64 %d0, 0d3FF0000000000000;", {}, 0x3FF0000000000000},
                          {"mov.u32 %r0, 0x1F;", {}, 31},
                          {"mov.u32 %r0, 017;", {}, 15},
                          {"mov.u32 %r0, 0b101;", {}, 5},
                          {"mov.u32 %r0, WARP_SZ;", {}, 32},
                          {"mov.u32 %r0, %ntid.y;", {}, 1},
                          {"mov.u32 %r0, %nctaid.x;", {}, 1},
                          {"mov.b32 %r0, {%h1, %h2};", {0x1111, 0x2222}, 0x22221111},
                          {"mov.b32 {%h5, %h0}, %r1;", {0x22221111}, 0x2222},
                          {"mov.b32 {%h0, _}, %r1;", {0x22221111}, 0x1111},
                          {"mov.b32 %r0, {0, %h1};", {0x3F80}, 0x3F800000},
                          {"mov.b64 %d0, {%r1, %r2};", {1, 2}, 0x200000001},
                          {"mov.b64 {%r0, %r5}, %d1;", {0x200000001}, 1},
                          {"mov.b64 %d0, {%h1, %h2, %h3, %h4};", {1, 2, 3, 4}, 0x0004000300020001},
                          {"selp.b32 %r0, %r1, %r2, %p3;", {7, 8, 1}, 7},
                          {"selp.b32 %r0, %r1, %r2, !%p3;", {7, 8, 1}, 8},
                          {"selp.f64 %d0, %d1, %d2, %p3;", {7, 8, 0}, 8},
                          {"selp.u16 %h0, %h1, %h2, %p3;", {7, 8, 0}, 8},
                          {"slct.u32.s32 %r0, %r1, %r2, %r3;", {7, 8, 0}, 7},
                          {"slct.u32.s32 %r0, %r1, %r2, %r3;", {7, 8, 0xFFFFFFFF}, 8},
                          {"slct.f32.f32 %r0, %r1, %r2, %r3;", {7, 8, 0x80000000}, 7},
                          {"slct.b64.f32 %d0, %d1, %d2, %r3;", {7, 8, 0xBF800000}, 8},
                          {"@%p2 mov.b32 %r1, 9; mov.b32 %r0, %r1;", {5, 0}, 5},
                          {"@!%p2 mov.b32 %r1, 9; mov.b32 %r0, %r1;", {5, 0}, 9},
                      });
}

}  // namespace
}  // namespace software_gpu::testing
