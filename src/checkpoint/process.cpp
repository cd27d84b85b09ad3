// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/process.hpp"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace mpdist::checkpoint {
namespace {

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

/// Start time of a running process; nothing when there is none or only its zombie is left.
std::optional<std::uint64_t> start_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is the program's name in parentheses and may hold anything, blanks and parentheses too.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 3 && (field == "Z" || field == "X")) return std::nullopt;
    if (number == 22) return std::stoull(field);
  }
  return std::nullopt;
}

}  // namespace

ProcessIdentity ProcessIdentity::current() {
  return {host_name(), getpid(), start_of(getpid()).value_or(0)};
}

bool ProcessIdentity::is_here() const {
  return host == host_name();
}

bool ProcessIdentity::is_dead_here() const {
  return is_here() && start_of(pid) != start;
}

std::string ProcessIdentity::to_string() const {
  return fmt::format("{}-{}-{}", pid, start, host);
}

std::optional<ProcessIdentity> ProcessIdentity::parse(const std::string& text) {
  ProcessIdentity identity;
  const char* end = text.data() + text.size();
  const auto [after_pid, pid_error] = std::from_chars(text.data(), end, identity.pid);
  if (pid_error != std::errc{} || after_pid == end || *after_pid != '-') return std::nullopt;
  const auto [after_start, start_error] = std::from_chars(after_pid + 1, end, identity.start);
  if (start_error != std::errc{} || after_start == end || *after_start != '-') return std::nullopt;
  identity.host.assign(after_start + 1, end);
  if (identity.host.empty() || identity.pid <= 0) return std::nullopt;
  return identity;
}

}  // namespace mpdist::checkpoint
