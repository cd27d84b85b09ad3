// SPDX-License-Identifier: Apache-2.0
#include "src/train/agreement.hpp"

#include <algorithm>
#include <map>

#include <fmt/ranges.h>

namespace mpdist::train {
namespace {

/// Strings of the config bring their quotes along.
std::string quoted(const std::string& value) {
  return value.starts_with('"') ? value : '"' + value + '"';
}

}  // namespace

void together(comm::Communicator& communicator, const std::function<void()>& local) {
  std::string failure;
  try {
    local();
  } catch (const Error& error) {
    failure = fmt::format("{} {}", static_cast<int>(error.exit_code()), error.what());
  } catch (const std::exception& error) {
    failure = fmt::format("{} {}", static_cast<int>(ExitCode::internal), error.what());
  }
  const std::vector<std::string> failures = communicator.all_gather_text(failure);
  const auto first = std::find_if(failures.begin(), failures.end(), [](const std::string& f) { return !f.empty(); });
  if (first == failures.end()) return;
  const bool alike = std::all_of(failures.begin(), failures.end(), [&](const std::string& f) { return f == *first; });
  const std::size_t blank = first->find(' ');
  std::string text = first->substr(blank + 1);
  if (!alike) {
    const auto rank = static_cast<int>(first - failures.begin());
    text = fmt::format("rank {} ({}): {}", rank, communicator.hosts()[rank], text);
  }
  throw collective(Error(static_cast<ExitCode>(std::stoi(first->substr(0, blank))), text));
}

void agree_on(comm::Communicator& communicator, const std::vector<Fact>& facts) {
  std::string mine;
  for (const Fact& fact : facts) mine += fact.value + '\0';
  const std::vector<std::string> all = communicator.all_gather_text(mine);
  if (std::all_of(all.begin(), all.end(), [&](const std::string& text) { return text == all[0]; })) return;
  std::vector<std::size_t> cursors(all.size(), 0);
  for (const Fact& fact : facts) {
    std::map<std::string, std::vector<int>> holders;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const std::size_t end = all[rank].find('\0', cursors[rank]);
      holders[all[rank].substr(cursors[rank], end - cursors[rank])].push_back(static_cast<int>(rank));
      cursors[rank] = end + 1;
    }
    if (holders.size() == 1) continue;
    std::string text;
    for (const auto& [value, ranks] : holders) {
      text += fmt::format("{}{} on rank{} {} ({})", text.empty() ? "" : ", ", quoted(value),
                          ranks.size() > 1 ? "s" : "", fmt::join(ranks, ", "), communicator.hosts()[ranks[0]]);
    }
    throw collective(
        UsageError(fmt::format("the ranks differ in {}: {}; start all ranks with the same program, libraries, "
                               "config and data",
                               fact.item, text)));
  }
}

}  // namespace mpdist::train
