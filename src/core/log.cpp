// SPDX-License-Identifier: Apache-2.0
#include "src/core/log.hpp"

#include <atomic>
#include <cstdio>

namespace mpdist::log {
namespace {
bool speaker = true;
std::atomic<bool> live_shown = false;
constexpr const char* kEraseLine = "\r\x1b[K";

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}
}  // namespace

void set_speaker(bool speaks) {
  speaker = speaks;
}

bool speaks() {
  return speaker;
}

void line(const std::string& text) {
  const char* erase = live_shown.exchange(false) ? kEraseLine : "";
  write(erase + ("mpdist: " + text + "\n"));  // one write, so that lines of several ranks do not mix
}

void live(const std::string& text) {
  if (live_shown.exchange(!text.empty()) || !text.empty()) write(kEraseLine + text);
}

}  // namespace mpdist::log
