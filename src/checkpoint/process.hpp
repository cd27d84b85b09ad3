// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace mpdist::checkpoint {

/// Which process made a lock or a temporary file. The start time tells a process from a later one with the same pid.
struct ProcessIdentity {
  std::string host;
  std::int64_t pid = 0;
  std::uint64_t start = 0;  ///< clock ticks after boot, field 22 of /proc/<pid>/stat

  static ProcessIdentity current();
  /// Whether it ran on this host and runs no more (a zombie counts as ended). False for other hosts: nobody can tell.
  bool is_dead_here() const;
  bool is_here() const;

  /// "<pid>-<start>-<host>", for file names and lock files.
  std::string to_string() const;
  static std::optional<ProcessIdentity> parse(const std::string& text);

  bool operator==(const ProcessIdentity&) const = default;
};

}  // namespace mpdist::checkpoint
