// SPDX-License-Identifier: Apache-2.0
// Tables of single instructions with their results.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/software_gpu/tests/ptx_machine.hpp"

namespace software_gpu::testing {

/// Registers: %r 32 bits, %h 16, %d 64, %p predicates; number 0 is the result, inputs[i] goes to number i + 1.
struct Case {
  std::string text;
  std::vector<std::uint64_t> inputs;
  std::uint64_t expected;
};

inline char register_class(const std::string& text, std::size_t number) {
  for (const char c : {'r', 'h', 'd', 'p'}) {
    const std::string name = std::string("%") + c + std::to_string(number);
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += name.size()) {
      const bool longer =
          at + name.size() < text.size() && text[at + name.size()] >= '0' && text[at + name.size()] <= '9';
      if (!longer) return c;
    }
  }
  return 'r';
}

inline std::string kernel_text(const std::string& name, const Case& test) {
  const auto constant = [](std::uint64_t value) { return std::to_string(value); };
  std::string text = ".visible .entry " + name +
                     "(.param .u64 out)\n{\n.reg .b32 %r<16>;\n.reg .b16 %h<16>;\n.reg .b64 %d<16>, %out, %lane;\n"
                     ".reg .pred %p<16>;\n.reg .b32 %tid;\n"
                     "mov.u32 %tid, %tid.x;\nld.param.u64 %out, [out];\nmul.wide.u32 %lane, %tid, 8;\n"
                     "add.u64 %out, %out, %lane;\nmov.b64 %d15, 0;\n";
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    switch (register_class(test.text, i + 1)) {
      case 'h':
        text += "mov.b16 %h" + number + ", " + constant(test.inputs[i]) + ";\n";
        break;
      case 'd':
        text += "mov.b64 %d" + number + ", " + constant(test.inputs[i]) + ";\n";
        break;
      case 'p':
        text += "setp.ne.u32 %p" + number + ", " + constant(test.inputs[i]) + ", 0;\n";
        break;
      default:
        text += "mov.b32 %r" + number + ", " + constant(test.inputs[i]) + ";\n";
    }
  }
  text += test.text + "\n";
  switch (register_class(test.text, 0)) {
    case 'h':
      text += "cvt.u64.u16 %d15, %h0;\n";
      break;
    case 'd':
      text += "mov.b64 %d15, %d0;\n";
      break;
    case 'p':
      text += "selp.b64 %d15, 1, 0, %p0;\n";
      break;
    default:
      text += "cvt.u64.u32 %d15, %r0;\n";
  }
  return text + "st.global.u64 [%out], %d15;\nret;\n}\n";
}

/// Runs each case with a full warp and with one thread; nothing may be reported.
inline void check_cases(const std::string& suite, const std::vector<Case>& cases) {
  ASSERT_EQ(find_kernel(suite + "0"), nullptr) << "two suites of one name";
  std::string module = ".version 8.4\n.target sm_90\n.address_size 64\n";
  for (std::size_t i = 0; i < cases.size(); ++i) module += kernel_text(suite + std::to_string(i), cases[i]);
  load_module(module, suite + ".ptx");
  const int before = report_count();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const unsigned threads : {32u, 1u}) {
      const Array<std::uint64_t> out(threads);
      run(suite + std::to_string(i), 1, threads, 0, {out.argument()});
      for (const std::uint64_t value : out.values()) {
        EXPECT_EQ(value, cases[i].expected) << cases[i].text << " with " << ::testing::PrintToString(cases[i].inputs)
                                            << std::hex << ": 0x" << value << " for 0x" << cases[i].expected;
        if (value != cases[i].expected) break;
      }
    }
  }
  EXPECT_EQ(report_count(), before);
}

}  // namespace software_gpu::testing
