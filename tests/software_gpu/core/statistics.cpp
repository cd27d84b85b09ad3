// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/statistics.hpp"

#include <map>
#include <mutex>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/stream.hpp"

namespace software_gpu {
namespace {

std::map<std::string, std::uint64_t>& counts() {
  static auto* const kCounts = new std::map<std::string, std::uint64_t>;
  return *kCounts;
}

}  // namespace

void count(const std::string& what, std::uint64_t amount) {
  if (!settings().statistics) return;
  std::lock_guard lock(mutex());
  counts()[what] += amount;
}

void print_statistics() {
  for (const auto& [what, amount] : counts()) note("statistics: " + what + ": " + std::to_string(amount));
}

}  // namespace software_gpu
