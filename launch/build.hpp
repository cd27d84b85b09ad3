// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::launch {

/// What this binary was made from: "mpdist 0.1.0 (git 1a2b3c4, g++ 12.2.0, Release, -march=native)".
std::string build_text();
std::string git_revision();

}  // namespace mpdist::launch
