// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/parser.hpp"

#include "tests/software_gpu/tests/child.hpp"
#include "tests/software_gpu/tests/ptx_cases.hpp"

namespace software_gpu::testing {
namespace {

const std::string kHead = ".version 8.4\n.target sm_90\n.address_size 64\n";

std::string error_of(const std::string& text) {
  try {
    ptx::parse(text, "file.ptx");
  } catch (const ptx::ParseError& error) {
    return error.what();
  }
  return "none";
}

TEST(PtxParser, ErrorsNameTheLine) {
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\n.reg .b32 %r<2>;\nmov.u32 %r1, %r7;\n}\n"),
            "file.ptx:7: %r7 is not declared, near ';'");
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\nmov.u32 5 6;\n}\n"), "file.ptx:6: ';' was expected, near '6'");
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\n.reg .b32 %r;\n@%r ret;\n}\n"),
            "file.ptx:7: %r is no predicate, near 'ret'");
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\nret;\n"), "file.ptx:7: an instruction was expected, near the end");
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\n.reg .b128 %r;\n}\n"),
            "file.ptx:6: registers of type .b128 are not supported, near '%r'");
  EXPECT_EQ(error_of(kHead + ".tex .u64 t;\n"), "file.ptx:4: directive .tex is not supported, near 'u64'");
  EXPECT_EQ(error_of(kHead + ".global .u64 p = other;\n"),
            "file.ptx:4: addresses in initial values are not supported, near 'other'");
  EXPECT_EQ(error_of(kHead + "/* open"), "file.ptx:4: comment without end");
  EXPECT_EQ(error_of(kHead + ".entry k()\n{\n.reg .b32 %r;\nmov.u32 %r, 12z;\n}\n"),
            "file.ptx:7: '12z' is no number, near ';'");
}

TEST(PtxParser, Declarations) {
  const ptx::Module module = ptx::parse(
      kHead +
          "\t// a comment\n.file 1 \"/some/where/file.cu\"\n.extern .shared .align 16 .b8 dynamic[];\n"
          ".const .align 4 .b8 table[4] = {1, 2};\n.global .f32 x = 0f3F800000;\n.global .u16 grid[2][3];\n"
          ".visible .entry k(.param .align 8 .b8 big[48], .param .u64 .ptr .global .align 4 p)\n.maxntid 64, 2, 1\n"
          ".minnctapersm 2\n{\n.reg .b32 %r<3>;\n.loc 1 12 3\n{.reg.b32 %r1; mov.u32 %r1, 1;}\n"
          ".loc 1 30 3, function_name $L__info_string0, inlined_at 1 13 7\nadd.u32 %r1, %r1, %r2;\n$L_1:\nret;\n}\n",
      "m");
  ASSERT_EQ(module.variables.size(), 4u);
  EXPECT_TRUE(module.variables[0].dynamic);
  EXPECT_EQ(module.variables[1].initial.size(), 2u);
  EXPECT_EQ(module.variables[3].bytes, 12u);
  const ptx::Function& k = module.functions.at("k");
  EXPECT_EQ(k.max_threads, 128u);
  EXPECT_EQ(k.registers.size(), 4u);  // the inner %r1 hides the outer
  ASSERT_EQ(k.body.size(), 3u);
  EXPECT_EQ(k.body[0].operands[0].index, 3);
  EXPECT_EQ(k.body[0].source_line, 12);
  EXPECT_EQ(k.body[1].operands[0].index, 1);
  EXPECT_EQ(k.body[1].call_line, 13);
  EXPECT_EQ(k.body[1].text, "add.u32 %r1, %r1, %r2;");
  EXPECT_EQ(k.labels.at("$L_1"), 2u);
}

/// What is not known stops the process with its text.
TEST(PtxParser, UnknownInstructionsStop) {
  const auto expect_unsupported = [](const std::string& text, const std::string& line) {
    const Outcome outcome = run_in_child({}, [&] {
      load_module(kHead + kernel_text("unknown", {text, {}, 0}), "u.ptx");
      find_kernel("unknown");
    });
    EXPECT_EQ(outcome.status, 89) << text;
    EXPECT_NE(outcome.errors.find("software GPU: unsupported: " + line), std::string::npos) << outcome.errors;
  };
  expect_unsupported("wmma.load.a %r0, %r1;", "u.ptx:16: 'wmma.load.a %r0, %r1;' (instruction)");
  expect_unsupported("add.u32.strange %r0, %r1, %r2;",
                     "u.ptx:16: 'add.u32.strange %r0, %r1, %r2;' (modifier .strange)");
  expect_unsupported("add.u32 %r0, %h1, %r2;", "u.ptx:16: width of an operand of add.u32 %r0, %h1, %r2;");
  expect_unsupported("add.u32 %r0, %r1;", "u.ptx:16: 'add.u32 %r0, %r1;' (an operand is missing)");
  expect_unsupported("call printf_like, ();", "u.ptx:16: call of printf_like");
  expect_unsupported("bra nowhere; mov.u32 %r0, 1;", "u.ptx:19: branch to nowhere");
  expect_unsupported("cvt.s32.f32 %r0, %r1;", "u.ptx:16: 'cvt.s32.f32 %r0, %r1;' (rounding)");
}

TEST(PtxParser, NamesOfKernels) {
  EXPECT_EQ(readable_name("_ZN6mpdist7kernels4cuda12_GLOBAL__N_117adamw_step_kernelIfEEvPT_S5_i"),
            "adamw_step_kernel<float>");
  EXPECT_EQ(readable_name("plain"), "plain");
}

}  // namespace
}  // namespace software_gpu::testing
