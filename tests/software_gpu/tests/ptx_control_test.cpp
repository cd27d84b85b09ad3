// SPDX-License-Identifier: Apache-2.0
// Branches, barriers, calls, and what lanes tell each other.
#include <array>
#include <bit>

#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

/// Runs the text for `threads` threads, each of which stores %r0; %r1 is the number of the thread.
std::vector<std::uint32_t> run_text(const std::string& name, unsigned threads, const std::string& text,
                                    const std::string& before = "") {
  load_module(
      ".version 8.4\n.target sm_90\n.address_size 64\n" + before + ".visible .entry " + name +
          "(.param .u64 out)\n{\n.reg .b32 %r<16>;\n.reg .b64 %d<16>;\n.reg .pred %p<8>;\nmov.u32 %r1, %tid.x;\n" +
          text +
          "\nld.param.u64 %d14, [out];\nmul.wide.u32 %d15, %r1, 4;\nadd.u64 %d14, %d14, %d15;\n"
          "st.global.u32 [%d14], %r0;\nret;\n}\n",
      name);
  const Array<std::uint32_t> out(threads);
  const int reports = report_count();
  run(name, 1, threads, 0, {out.argument()});
  EXPECT_EQ(report_count(), reports);
  return out.values();
}

TEST(PtxControl, Shuffles) {
  const auto up =
      run_text("up", 32, "shfl.sync.up.b32 %r0|%p1, %r1, 3, 0, -1; selp.b32 %r2, 100, 0, %p1; add.u32 %r0, %r0, %r2;");
  const auto down = run_text("down", 32, "shfl.sync.down.b32 %r0, %r1, 3, 31, -1;");
  const auto butterfly = run_text("bfly", 32, "shfl.sync.bfly.b32 %r0, %r1, 5, 31, -1;");
  const auto index = run_text("idx", 32, "shfl.sync.idx.b32 %r0, %r1, %r1, 0x181F, -1;");    // segments of 8 lanes
  const auto segments = run_text("seg", 32, "shfl.sync.down.b32 %r0, %r1, 1, 0x1C1F, -1;");  // of 4 lanes
  for (std::uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(up[i], i < 3 ? i : i - 3 + 100);
    EXPECT_EQ(down[i], i + 3 > 31 ? i : i + 3);
    EXPECT_EQ(butterfly[i], i ^ 5);
    EXPECT_EQ(index[i], i);
    EXPECT_EQ(segments[i], i % 4 == 3 ? i : i + 1);
  }
}

TEST(PtxControl, VotesAndReductions) {
  const std::string odd = "and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 1; ";
  EXPECT_EQ(run_text("ballot", 32, odd + "vote.sync.ballot.b32 %r0, %p1, -1;")[5], 0xAAAAAAAA);
  EXPECT_EQ(run_text("ballot_not", 32, odd + "vote.sync.ballot.b32 %r0, !%p1, -1;")[5], 0x55555555u);
  EXPECT_EQ(run_text("ballot_part", 20, odd + "vote.sync.ballot.b32 %r0, %p1, -1;")[5], 0x000AAAAAu);
  const std::string answer = "selp.b32 %r0, 1, 0, %p2;";
  EXPECT_EQ(run_text("all", 32, odd + "vote.sync.all.pred %p2, %p1, -1;" + answer)[0], 0u);
  EXPECT_EQ(run_text("any", 32, odd + "vote.sync.any.pred %p2, %p1, -1;" + answer)[0], 1u);
  EXPECT_EQ(run_text("uni", 32, odd + "vote.sync.uni.pred %p2, %p1, -1;" + answer)[0], 0u);
  EXPECT_EQ(run_text("match", 32, odd + "match.any.sync.b32 %r0, %r2, -1;")[1], 0xAAAAAAAAu);
  EXPECT_EQ(run_text("match_all", 32, "mov.b32 %r3, 9; match.all.sync.b32 %r0|%p2, %r3, -1;")[1], 0xFFFFFFFFu);
  EXPECT_EQ(run_text("redux_add", 32, "redux.sync.add.s32 %r0, %r1, -1;")[9], 496u);
  EXPECT_EQ(run_text("redux_min", 32, "sub.s32 %r2, %r1, 9; redux.sync.min.s32 %r0, %r2, -1;")[9], 0xFFFFFFF7u);
  EXPECT_EQ(run_text("redux_max", 32, "sub.s32 %r2, %r1, 9; redux.sync.max.u32 %r0, %r2, -1;")[9], 0xFFFFFFFFu);
  EXPECT_EQ(run_text("redux_and", 32, "or.b32 %r2, %r1, 64; redux.sync.and.b32 %r0, %r2, -1;")[9], 64u);
  EXPECT_EQ(run_text("redux_or", 32, "redux.sync.or.b32 %r0, %r1, -1;")[9], 31u);
  EXPECT_EQ(run_text("redux_xor", 20, "redux.sync.xor.b32 %r0, %r1, -1;")[9], 0u);
  EXPECT_EQ(run_text("active", 32, odd + "@%p1 activemask.b32 %r0; @!%p1 mov.u32 %r0, 7;"),
            run_text("active2", 32, odd + "selp.b32 %r0, 0xAAAAAAAA, 7, %p1;"));
}

TEST(PtxControl, Branches) {
  const auto looped = run_text("looped", 64,
                               "mov.u32 %r0, 0; mov.u32 %r2, 0;\n"
                               "again: add.u32 %r0, %r0, %r2; add.u32 %r2, %r2, 1; setp.le.u32 %p1, %r2, %r1;\n"
                               "@%p1 bra again;");
  const auto indexed = run_text("indexed", 40,
                                "and.b32 %r2, %r1, 3;\nlist: .branchtargets one, two, three, two;\n"
                                "brx.idx %r2, list;\none: mov.u32 %r0, 1; bra.uni end;\ntwo: mov.u32 %r0, 2; bra end;\n"
                                "three: mov.u32 %r0, 3;\nend:");
  const auto left =
      run_text("left", 32, "mov.u32 %r0, 4; setp.gt.u32 %p1, %r1, 99; @%p1 exit; @!%p1 bra on; trap; on:");
  for (std::uint32_t i = 0; i < 64; ++i) EXPECT_EQ(looped[i], i * (i + 1) / 2);
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(indexed[i], (std::array{1u, 2u, 3u, 2u}[i % 4]));
  EXPECT_EQ(left, std::vector<std::uint32_t>(32, 4));
}

/// A value that only the first iteration sets must outlive what the later ones compute before they use it.
TEST(PtxControl, ValuesLiveThroughLoops) {
  const auto sums =
      run_text("carried", 32,
               "mov.u32 %r0, 0; mov.u32 %r2, 0;\n"
               "again: add.u32 %r5, %r2, 1000; add.u32 %r7, %r5, 1; setp.ne.u32 %p1, %r2, 0;\n@%p1 bra skip;\n"
               "add.u32 %r6, %r1, 77;\nskip: add.u32 %r0, %r0, %r6; add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 3;\n"
               "@%p2 bra again;");
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(sums[i], 3 * (i + 77));
}

/// Lanes that must act together but come from different sides of a branch whose common part stands before one of them.
TEST(PtxControl, LanesWaitForEachOther) {
  const auto joined = run_text("joined", 32,
                               "and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 1; mov.u32 %r3, 10;\n"
                               "@%p1 bra far;\nmeet: shfl.sync.bfly.b32 %r0, %r3, 1, 31, -1; bra done;\n"
                               "far: mov.u32 %r3, 20; bra meet;\ndone:");
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(joined[i], i % 2 == 0 ? 20u : 10u);
}

TEST(PtxControl, Barriers) {
  const std::string shared =
      ".shared .align 4 .b8 s[512]; shl.b32 %r4, %r1, 2; mov.u32 %r5, s; add.u32 %r4, %r4, %r5; ";
  const auto reversed =
      run_text("reversed", 100,
               shared +
                   "st.shared.u32 [%r4], %r1; bar.sync 0;\n"
                   "sub.u32 %r6, 99, %r1; shl.b32 %r6, %r6, 2; add.u32 %r6, %r6, %r5; ld.shared.u32 %r0, [%r6];");
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(reversed[i], 99 - i);
  const std::string first = "setp.lt.u32 %p1, %r1, 33; ";
  EXPECT_EQ(run_text("popc", 64, first + "barrier.cta.red.popc.aligned.u32 %r0, 0, %p1;")[7], 33u);
  EXPECT_EQ(run_text("popc_not", 64, first + "bar.red.popc.u32 %r0, 0, !%p1;")[7], 31u);
  EXPECT_EQ(run_text("red_and", 64, first + "bar.red.and.pred %p2, 0, %p1; selp.b32 %r0, 1, 0, %p2;")[7], 0u);
  EXPECT_EQ(run_text("red_or", 64, first + "bar.red.or.pred %p2, 0, %p1; selp.b32 %r0, 1, 0, %p2;")[60], 1u);
  // The second warp hands a value over and does not wait.
  const auto handed = run_text("handed", 64,
                               shared +
                                   "setp.ge.u32 %p1, %r1, 32; mov.u32 %r0, 5;\n@%p1 bra give;\n"
                                   "barrier.sync 1, 64; ld.shared.u32 %r0, [s+128]; bra.uni done;\n"
                                   "give: st.shared.u32 [%r4], 42; barrier.arrive 1, 64;\ndone:");
  EXPECT_EQ(handed[0], 42u);
  EXPECT_EQ(handed[40], 5u);
}

/// More blocks than there are numbers of intervals: the count begins anew, and nothing of it is seen.
TEST(PtxControl, ManyBlocks) {
  load_module(
      ".version 8.4\n.target sm_90\n.address_size 64\n.visible .entry many(.param .u64 out)\n{\n"
      ".reg .b32 %r<3>;\n.reg .b64 %d<3>;\n.shared .align 4 .b8 s[4];\nld.param.u64 %d1, [out];\n"
      "st.shared.u32 [s], 5;\nld.shared.u32 %r1, [s];\nst.global.u32 [%d1], %r1;\nret;\n}\n",
      "many");
  const Array<std::uint32_t> out(1);
  run("many", 600000, 1, 0, {out.argument()});
  EXPECT_EQ(out.values()[0], 5u);
  EXPECT_EQ(report_count(), 0);
}

TEST(PtxControl, CallsOfFunctions) {
  const std::string function =
      ".visible .func (.param .b32 result) twice(.param .b32 x)\n{\n.reg .b32 %r<4>;\n.reg .pred %p;\n"
      "ld.param.u32 %r1, [x];\nsetp.gt.u32 %p, %r1, 20;\n@%p bra large;\nshl.b32 %r2, %r1, 1;\n"
      "st.param.b32 [result], %r2;\nret;\nlarge: st.param.b32 [result], 0;\nret;\n}\n";
  const auto called = run_text("called", 32,
                               "{\n.param .b32 p0; .param .b32 r0;\nst.param.b32 [p0], %r1;\n"
                               "call.uni (r0), twice, (p0);\nld.param.b32 %r0, [r0];\n}\n"
                               "{\n.param .b32 p0; .param .b32 r0;\nst.param.b32 [p0], %r0;\nsetp.lt.u32 %p1, %r1, 5;\n"
                               "@%p1 call (r0), twice, (p0);\n@%p1 ld.param.b32 %r0, [r0];\n}",
                               function);
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(called[i], i < 5 ? 4 * i : i > 20 ? 0 : 2 * i) << i;
}

}  // namespace
}  // namespace software_gpu::testing
