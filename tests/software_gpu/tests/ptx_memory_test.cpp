// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

/// %r14: the address of eight bytes of shared memory that belong to the thread, of 32 for kWide.
const std::string kCell =
    ".shared .align 8 .b8 s[256]; mov.u32 %r14, s; shl.b32 %r13, %tid, 3; add.u32 %r14, %r14, %r13; ";
const std::string kWide =
    ".shared .align 32 .b8 s[1024]; mov.u32 %r14, s; shl.b32 %r13, %tid, 5; add.u32 %r14, %r14, %r13; ";

TEST(PtxMemory, LoadsAndStores) {
  check_cases(
      "load",
      {
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.u32 %r0, [%r14];", {0x12345678}, 0x12345678},
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.u8 %r0, [%r14+3];", {0xF2345678}, 0xF2},
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.s8 %r0, [%r14+3];", {0xF2345678}, 0xFFFFFFF2},
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.s16 %d0, [%r14+2];", {0xF2345678}, 0xFFFFFFFFFFFFF234},
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.u16 %h0, [%r14];", {0xF2345678}, 0x5678},
          {kCell + "st.shared.u32 [%r14], %r1; ld.shared.s8 %h0, [%r14];", {0xF2345688}, 0xFF88},
          {kCell + "st.shared.s32 [%r14], %r1; ld.shared.s32 %d0, [%r14];", {0xF2345678}, 0xFFFFFFFFF2345678},
          {kCell + "st.shared.u32 [%r14], %r1; st.shared.u8 [%r14+1], %r2; ld.shared.b32 %r0, [%r14];",
           {0x11111111, 0x1FF},
           0x1111FF11},
          {kCell + "st.shared.b16 [%r14+-0], %h1; ld.shared.b16 %h0, [%r14];", {0xABCD}, 0xABCD},
          {kCell + "st.shared.b64 [%r14], %d1; ld.volatile.shared.b64 %d0, [%r14];",
           {0x123456789ABCDEF0},
           0x123456789ABCDEF0},
          {kCell + "st.shared.v2.b32 [%r14], {%r1, %r2}; ld.shared.b64 %d0, [%r14];", {1, 2}, 0x200000001},
          {kCell + "st.shared.b64 [%r14], %d1; ld.shared.v4.u16 {%h5, %h6, %h0, %h7}, [%r14];",
           {0x0004000300020001},
           3},
          {kWide + "st.shared.v4.f32 [%r14], {%r1, %r2, %r3, %r4}; ld.shared.v2.b64 {%d5, %d0}, [%r14];",
           {1, 2, 3, 4},
           0x400000003},
          {kWide + "st.shared.v2.f64 [%r14], {%d1, %d2}; ld.shared.v4.u32 {%r5, %r6, %r7, %r0}, [%r14];",
           {1, 0x900000000},
           9},
          {".local .align 4 .b8 l[16]; st.local.u32 [l+4], %r1; ld.local.u32 %r0, [l+4];", {77}, 77},
          {".local .align 4 .b8 l[16]; mov.u64 %d5, l; cvta.local.u64 %d6, %d5; st.u32 [%d6+8], %r1; ld.u32 %r0, "
           "[%d6+8];",
           {78},
           78},
          {kCell + "cvt.u64.u32 %d5, %r14; cvta.shared.u64 %d6, %d5; st.u32 [%d6], %r1; ld.shared.u32 %r0, [%r14];",
           {79},
           79},
          {kCell +
               "cvt.u64.u32 %d5, %r14; cvta.shared.u64 %d6, %d5; cvta.to.shared.u64 %d0, %d6; sub.u64 %d0, %d0, %d5;",
           {},
           0},
          {kCell + "cvt.u64.u32 %d5, %r14; cvta.shared.u64 %d6, %d5; isspacep.shared %p0, %d6;", {}, 1},
          {kCell + "cvt.u64.u32 %d5, %r14; cvta.shared.u64 %d6, %d5; isspacep.global %p0, %d6;", {}, 0},
          {"isspacep.global %p0, %out;", {}, 1},
          {"st.global.cs.u32 [%out], %r1; ld.global.cg.u32 %r0, [%out];", {80}, 80},
          {"st.global.L1::no_allocate.b64 [%out+0], %d1; ld.u32 %r0, [%out+4];", {0x5100000000}, 81},
          {"prefetch.global.L2 [%out]; mov.b32 %r0, %r1;", {5}, 5},
      });
}

std::string atom(const std::string& modifiers, const std::string& operands) {
  return kCell + "st.shared.b64 [%r14], %d1; atom.shared." + modifiers + " %r5, [%r14], " + operands +
         "; ld.shared.b32 %r0, [%r14];";
}
std::string red64(const std::string& modifiers) {
  return kCell + "st.shared.b64 [%r14], %d1; red.shared." + modifiers + " [%r14], %d2; ld.shared.b64 %d0, [%r14];";
}

TEST(PtxMemory, Atomics) {
  check_cases(
      "atomic",
      {
          {atom("add.u32", "%r2"), {7, 5}, 12},
          {atom("add.s32", "-1"), {7}, 6},
          {atom("min.u32", "%r2"), {7, 0xFFFFFFFF}, 7},
          {atom("min.s32", "%r2"), {7, 0xFFFFFFFF}, 0xFFFFFFFF},
          {atom("max.s32", "%r2"), {7, 0xFFFFFFFF}, 7},
          {atom("max.u32", "%r2"), {7, 0xFFFFFFFF}, 0xFFFFFFFF},
          {atom("and.b32", "%r2"), {0xF0, 0x3C}, 0x30},
          {atom("or.b32", "%r2"), {0xF0, 0x3C}, 0xFC},
          {atom("xor.b32", "%r2"), {0xF0, 0x3C}, 0xCC},
          {atom("exch.b32", "%r2"), {7, 5}, 5},
          {atom("cas.b32", "%r2, %r3"), {7, 7, 9}, 9},
          {atom("cas.b32", "%r2, %r3"), {7, 8, 9}, 7},
          {atom("inc.u32", "%r2"), {7, 9}, 8},
          {atom("inc.u32", "%r2"), {9, 9}, 0},
          {atom("dec.u32", "%r2"), {7, 9}, 6},
          {atom("dec.u32", "%r2"), {0, 9}, 9},
          {atom("dec.u32", "%r2"), {12, 9}, 9},
          {atom("relaxed.cta.add.u32", "%r2"), {1, 1}, 2},
          {red64("add.u64"), {0xFFFFFFFF, 1}, 0x100000000},
          {red64("min.s64"), {0, 0xFFFFFFFFFFFFFFFF}, 0xFFFFFFFFFFFFFFFF},
          {red64("max.u64"), {0, 0xFFFFFFFFFFFFFFFF}, 0xFFFFFFFFFFFFFFFF},
          {red64("or.b64"), {0xF000000000000000, 1}, 0xF000000000000001},
          {kCell + "st.shared.b64 [%r14], %d1; atom.shared.cas.b64 %d5, [%r14], %d2, %d3; ld.shared.b64 %d0, [%r14];",
           {7, 7, 9},
           9},
          {kCell + "st.shared.b64 [%r14], %d1; atom.shared.cas.b16 %h5, [%r14], %h2, %h3; ld.shared.b64 %d0, [%r14];",
           {0x10007, 7, 9},
           0x10009},
          {kCell + "st.shared.b64 [%r14], %d1; atom.shared.add.u32 %r0, [%r14], 3;", {7}, 7},
          {"st.global.b32 [%out], %r1; atom.global.add.u32 %r5, [%out], 3; ld.global.b32 %r0, [%out];", {7}, 10},
          {"st.global.b32 [%out], %r1; atom.add.u32 %r5, [%out], 3; ld.global.b32 %r0, [%out];", {7}, 10},
          {"st.global.b32 [%out], %r1; atom.add.acq_rel.gpu.global.s32 %r5, [%out], 4; ld.global.b32 %r0, [%out];",
           {7},
           11},
      });
}

}  // namespace
}  // namespace software_gpu::testing
