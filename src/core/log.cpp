// SPDX-License-Identifier: Apache-2.0
#include "src/core/log.hpp"

#include <cstdio>

namespace mpdist::log {
namespace {
bool speaker = true;
}

void set_speaker(bool speaks) {
  speaker = speaks;
}

bool speaks() {
  return speaker;
}

void line(const std::string& text) {
  const std::string whole = "mpdist: " + text + "\n";  // one write, so that lines of several ranks do not mix
  std::fwrite(whole.data(), 1, whole.size(), stderr);
  std::fflush(stderr);
}

}  // namespace mpdist::log
