// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

constexpr std::uint64_t kOne = 0x3F800000, kTwo = 0x40000000, kThree = 0x40400000, kTenth = 0x3DCCCCCD,
                        kFifth = 0x3E4CCCCD;
constexpr std::uint64_t kNan = 0x7FFFFFFF, kSomeNan = 0x7FC12345, kInfinity = 0x7F800000, kMinusZero = 0x80000000;
constexpr std::uint64_t kMinusOne = 0xBF800000;
constexpr std::uint64_t kOne64 = 0x3FF0000000000000, kThree64 = 0x4008000000000000;

TEST(PtxFloat, RoundsAsAsked) {
  check_cases("rounding",
              {
                  {"add.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3E99999A},
                  {"add.rn.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3E99999A},
                  {"add.rz.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3E999999},
                  {"add.rm.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3E999999},
                  {"add.rp.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3E99999A},
                  {"sub.rz.f32 %r0, %r1, %r2;", {kOne, 0x00000001}, 0x3F7FFFFF},
                  {"sub.rn.f32 %r0, %r1, %r2;", {kOne, 0x00000001}, kOne},
                  {"mul.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3CA3D70B},
                  {"mul.rm.f32 %r0, %r1, %r2;", {kTenth, kFifth}, 0x3CA3D70A},
                  {"fma.rn.f32 %r0, %r1, %r1, %r2;", {0x3F800001, 0xBF800002}, 0x28800000},
                  {"fma.rn.f32 %r0, %r1, %r2, %r3;", {kTenth, kFifth, kOne}, 0x3F828F5C},
                  {"fma.rp.f32 %r0, %r1, %r2, %r3;", {kTenth, kFifth, kOne}, 0x3F828F5D},
                  {"mad.rn.f32 %r0, %r1, %r2, %r3;", {kTwo, kThree, kOne}, 0x40E00000},
                  {"div.rn.f32 %r0, %r1, %r2;", {kOne, kThree}, 0x3EAAAAAB},
                  {"div.rz.f32 %r0, %r1, %r2;", {kOne, kThree}, 0x3EAAAAAA},
                  {"div.full.f32 %r0, %r1, %r2;", {kOne, kThree}, 0x3EAAAAAB},
                  {"div.approx.f32 %r0, %r1, %r2;", {kOne, kThree}, 0x3EAAAAAB},
                  {"div.approx.f32 %r0, %r1, %r2;", {kOne, 0x7F000000}, 0},
                  {"div.approx.f32 %r0, %r1, %r2;", {kInfinity, 0x7F000000}, kNan},
                  {"sqrt.rn.f32 %r0, %r1;", {kTwo}, 0x3FB504F3},
                  {"sqrt.rp.f32 %r0, %r1;", {kTwo}, 0x3FB504F4},
                  {"sqrt.approx.ftz.f32 %r0, %r1;", {kTwo}, 0x3FB504F3},
                  {"add.f64 %d0, %d1, %d2;", {0x3FB999999999999A, 0x3FC999999999999A}, 0x3FD3333333333334},
                  {"add.rz.f64 %d0, %d1, %d2;", {0x3FB999999999999A, 0x3FC999999999999A}, 0x3FD3333333333333},
                  {"sub.f64 %d0, %d1, %d2;", {kThree64, kOne64}, 0x4000000000000000},
                  {"mul.rn.f64 %d0, %d1, %d2;", {kThree64, kThree64}, 0x4022000000000000},
                  {"fma.rn.f64 %d0, %d1, %d2, %d3;", {kThree64, kThree64, kOne64}, 0x4024000000000000},
                  {"div.rn.f64 %d0, %d1, %d2;", {kOne64, kThree64}, 0x3FD5555555555555},
                  {"div.rp.f64 %d0, %d1, %d2;", {kOne64, kThree64}, 0x3FD5555555555556},
                  {"sqrt.rn.f64 %d0, %d1;", {0x4000000000000000}, 0x3FF6A09E667F3BCD},
              });
}

TEST(PtxFloat, Modifiers) {
  check_cases("modifiers", {
                               {"add.f32 %r0, %r1, %r2;", {1, 0}, 1},
                               {"add.ftz.f32 %r0, %r1, %r2;", {1, 0}, 0},
                               {"mul.ftz.f32 %r0, %r1, %r2;", {0x00800000, 0x3F000000}, 0},
                               {"mul.f32 %r0, %r1, %r2;", {0x00800000, 0x3F000000}, 0x00400000},
                               {"neg.ftz.f32 %r0, %r1;", {1}, kMinusZero},
                               {"abs.ftz.f32 %r0, %r1;", {0x80000001}, 0},
                               {"add.sat.f32 %r0, %r1, %r2;", {kOne, kOne}, kOne},
                               {"sub.sat.f32 %r0, %r1, %r2;", {kOne, kTwo}, 0},
                               {"fma.rn.sat.f32 %r0, %r1, %r2, %r3;", {kSomeNan, kOne, kOne}, 0},
                               {"fma.rn.ftz.sat.f32 %r0, %r1, %r2, %r3;", {0x3F000000, kOne, 1}, 0x3F000000},
                               {"mul.rz.ftz.f32 %r0, %r1, %r2;", {0x00800000, 0x3F000000}, 0},
                           });
}

TEST(PtxFloat, NanAndSign) {
  check_cases("nan", {
                         {"add.f32 %r0, %r1, %r2;", {kInfinity, 0xFF800000}, kNan},
                         {"mul.f32 %r0, %r1, %r2;", {kSomeNan, kOne}, kNan},
                         {"neg.f32 %r0, %r1;", {kOne}, kMinusOne},
                         {"abs.f32 %r0, %r1;", {kMinusOne}, kOne},
                         {"neg.f64 %d0, %d1;", {kOne64}, 0xBFF0000000000000},
                         {"abs.f64 %d0, %d1;", {0xBFF0000000000000}, kOne64},
                         {"copysign.f32 %r0, %r1, %r2;", {kMinusZero, kTwo}, 0xC0000000},
                         {"copysign.f64 %d0, %d1, %d2;", {0, 0xC000000000000000}, 0x4000000000000000},
                         {"min.f32 %r0, %r1, %r2;", {kOne, kTwo}, kOne},
                         {"max.f32 %r0, %r1, %r2;", {kOne, kTwo}, kTwo},
                         {"min.f32 %r0, %r1, %r2;", {kSomeNan, kTwo}, kTwo},
                         {"max.f32 %r0, %r1, %r2;", {kTwo, kSomeNan}, kTwo},
                         {"min.f32 %r0, %r1, %r2;", {kSomeNan, kSomeNan}, kNan},
                         {"min.f32 %r0, %r1, %r2;", {0, kMinusZero}, kMinusZero},
                         {"min.f32 %r0, %r1, %r2;", {kMinusZero, 0}, kMinusZero},
                         {"max.f32 %r0, %r1, %r2;", {kMinusZero, 0}, 0},
                         {"max.f32 %r0, %r1, %r2;", {0, kMinusZero}, 0},
                         {"min.NaN.f32 %r0, %r1, %r2;", {kSomeNan, kTwo}, kNan},
                         {"max.NaN.f32 %r0, %r1, %r2;", {kOne, kTwo}, kTwo},
                         {"min.f64 %d0, %d1, %d2;", {kOne64, 0x7FF8000000000000}, kOne64},
                         {"max.f64 %d0, %d1, %d2;", {kOne64, kThree64}, kThree64},
                     });
}

TEST(PtxFloat, Approximations) {
  check_cases("approximation", {
                                   {"ex2.approx.f32 %r0, %r1;", {kThree}, 0x41000000},
                                   {"ex2.approx.f32 %r0, %r1;", {0x3E99999A}, 0x3F9D9624},
                                   {"ex2.approx.ftz.f32 %r0, %r1;", {0xC3000000}, 0},
                                   {"ex2.approx.f32 %r0, %r1;", {0xC3000000}, 0x00200000},
                                   {"ex2.approx.f32 %r0, %r1;", {0xFF800000}, 0},
                                   {"lg2.approx.f32 %r0, %r1;", {0x41000000}, kThree},
                                   {"lg2.approx.f32 %r0, %r1;", {0}, 0xFF800000},
                                   {"lg2.approx.f32 %r0, %r1;", {kMinusOne}, kNan},
                                   {"rcp.approx.f32 %r0, %r1;", {kThree}, 0x3EAAAAAB},
                                   {"rcp.approx.ftz.f32 %r0, %r1;", {1}, kInfinity},
                                   {"rcp.rn.f32 %r0, %r1;", {kTwo}, 0x3F000000},
                                   {"rcp.rn.f64 %d0, %d1;", {kThree64}, 0x3FD5555555555555},
                                   {"rcp.approx.ftz.f64 %d0, %d1;", {kThree64}, 0x3FD5555500000000},
                                   {"rsqrt.approx.f32 %r0, %r1;", {kThree}, 0x3F13CD3A},
                                   {"rsqrt.approx.f32 %r0, %r1;", {kMinusZero}, 0xFF800000},
                                   {"rsqrt.approx.f64 %d0, %d1;", {0x4010000000000000}, 0x3FE0000000000000},
                                   {"sin.approx.f32 %r0, %r1;", {kOne}, 0x3F576AA4},
                                   {"cos.approx.f32 %r0, %r1;", {kOne}, 0x3F0A5140},
                                   {"sin.approx.ftz.f32 %r0, %r1;", {kInfinity}, kNan},
                                   {"tanh.approx.f32 %r0, %r1;", {0x3F000000}, 0x3EEC9A9F},
                                   {"tanh.approx.f16 %h0, %h1;", {0x3800}, 0x3765},
                                   {"ex2.approx.f16 %h0, %h1;", {0x4200}, 0x4800},
                                   {"ex2.approx.f16x2 %r0, %r1;", {0x42003C00}, 0x48004000},
                                   {"tanh.approx.bf16 %h0, %h1;", {0x3F00}, 0x3EED},
                                   {"ex2.approx.ftz.bf16 %h0, %h1;", {0x4040}, 0x4100},
                               });
}

TEST(PtxHalf, Arithmetic) {
  check_cases("half", {
                          {"add.f16 %h0, %h1, %h2;", {0x3C00, 0x1000}, 0x3C00},  // 1 + 2^-11: a tie, to even
                          {"add.f16 %h0, %h1, %h2;", {0x3C01, 0x1000}, 0x3C02},
                          {"add.f16 %h0, %h1, %h2;", {0x7BFF, 0x4C00}, 0x7C00},  // 65504 + 16
                          {"add.rn.f16 %h0, %h1, %h2;", {0x0001, 0x0001}, 0x0002},
                          {"add.ftz.f16 %h0, %h1, %h2;", {0x0001, 0x0001}, 0},
                          {"add.sat.f16 %h0, %h1, %h2;", {0x3C00, 0x3C00}, 0x3C00},
                          {"sub.f16 %h0, %h1, %h2;", {0x3C00, 0x4000}, 0xBC00},
                          {"mul.f16 %h0, %h1, %h2;", {0x4200, 0x4200}, 0x4880},
                          {"mul.f16 %h0, %h1, %h2;", {0x7C00, 0x0000}, 0x7FFF},
                          {"fma.rn.f16 %h0, %h1, %h1, %h2;", {0x3C01, 0xBC02}, 0x0010},
                          {"fma.rn.f16 %h0, %h1, %h2, %h3;", {0x3C01, 0x3E00, 0x0000}, 0x3E02},
                          {"fma.rn.f16 %h0, %h1, %h2, %h3;", {0x3C01, 0x3E00, 0x8001}, 0x3E01},
                          {"fma.rn.relu.f16 %h0, %h1, %h2, %h3;", {0x3C00, 0xBC00, 0x0000}, 0},
                          {"fma.rn.sat.f16 %h0, %h1, %h2, %h3;", {0x4000, 0x4000, 0x0000}, 0x3C00},
                          {"fma.rn.bf16 %h0, %h1, %h2, %h3;", {0x3F81, 0x3FC0, 0x0000}, 0x3FC2},
                          {"fma.rn.bf16 %h0, %h1, %h2, %h3;", {0x3F81, 0x3FC0, 0x8001}, 0x3FC1},
                          {"fma.rn.bf16 %h0, %h1, %h2, %h3;", {0x7F7F, 0x4000, 0x0000}, 0x7F80},
                          {"add.bf16 %h0, %h1, %h2;", {0x3F80, 0x3B80}, 0x3F80},  // 1 + 2^-8: a tie, to even
                          {"mul.bf16 %h0, %h1, %h2;", {0x4040, 0x4040}, 0x4110},
                          {"sub.bf16 %h0, %h1, %h2;", {0x4040, 0x3F80}, 0x4000},
                          {"add.f16x2 %r0, %r1, %r2;", {0x3C003C01, 0x3C001000}, 0x40003C02},
                          {"mul.f16x2 %r0, %r1, %r2;", {0x42004200, 0x42003C00}, 0x48804200},
                          {"sub.f16x2 %r0, %r1, %r2;", {0x3C003C00, 0x40003C00}, 0xBC000000},
                          {"fma.rn.f16x2 %r0, %r1, %r1, %r2;", {0x3C013C00, 0xBC023C00}, 0x00104000},
                          {"fma.rn.bf16x2 %r0, %r1, %r2, %r3;", {0x3F804040, 0x40004040, 0x3F803F80}, 0x40404120},
                          {"min.f16 %h0, %h1, %h2;", {0x7E00, 0x3C00}, 0x3C00},
                          {"min.NaN.f16 %h0, %h1, %h2;", {0x7E00, 0x3C00}, 0x7FFF},
                          {"max.f16 %h0, %h1, %h2;", {0x8000, 0x0000}, 0x0000},
                          {"max.f16x2 %r0, %r1, %r2;", {0x3C00BC00, 0x40000000}, 0x40000000},
                          {"min.bf16x2 %r0, %r1, %r2;", {0x3F80BF80, 0x40000000}, 0x3F80BF80},
                          {"neg.f16 %h0, %h1;", {0x3C00}, 0xBC00},
                          {"neg.bf16x2 %r0, %r1;", {0x3F80BF80}, 0xBF803F80},
                          {"abs.f16x2 %r0, %r1;", {0xBC00BC00}, 0x3C003C00},
                          {"neg.ftz.f16 %h0, %h1;", {0x0001}, 0x8000},
                      });
}

}  // namespace
}  // namespace software_gpu::testing
