// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include <fmt/format.h>

namespace mpdist::log {

/// Only the speaker (rank 0; set once at start) prints; every line goes to stderr as "mpdist: ...".
void set_speaker(bool speaks);
bool speaks();
void line(const std::string& text);
/// A progress line on a terminal: stays on its line, and the next live() or line() writes over it. Without text it is
/// erased.
void live(const std::string& text);

/// One line from the speaker.
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  if (speaks()) line(fmt::format(text, std::forward<Args>(args)...));
}

/// One line from whichever rank calls: for what only this rank knows.
template <class... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  line("warning: " + fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace mpdist::log
