// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "tests/software_gpu/ptx/lexer.hpp"
#include "tests/software_gpu/ptx/syntax.hpp"

namespace software_gpu::ptx {

/// Parses a module as nvcc 12.4 to 13.x and clang write it. Names are resolved by scope; opcodes and modifiers are kept
/// as words for the assembler. Throws ParseError with file and line.
Module parse(std::string_view text, const std::string& file);

}  // namespace software_gpu::ptx
