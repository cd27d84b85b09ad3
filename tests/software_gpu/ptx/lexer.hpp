// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace software_gpu::ptx {

/// What is wrong with a PTX text: "file:line: what".
class ParseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Token {
  enum class Kind {
    word,         ///< identifier, opcode, label or number
    directive,    ///< a word after a dot, without it; "::" belongs to it
    text,         ///< between quotation marks
    punctuation,  ///< one character
    end
  };
  Kind kind = Kind::end;
  std::string_view text;
  int line = 0;
  bool attached = false;  ///< nothing stands between it and the token before

  bool is(char c) const { return kind == Kind::punctuation && text[0] == c; }
};

/// Cuts PTX text, which must outlive the tokens, into tokens; comments and blanks go. The last token has Kind::end.
std::vector<Token> tokenize(std::string_view text, const std::string& file);

}  // namespace software_gpu::ptx
