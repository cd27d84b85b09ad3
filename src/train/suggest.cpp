// SPDX-License-Identifier: Apache-2.0
#include "src/train/suggest.hpp"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mpdist::train {
namespace {

/// Edits (insert, delete, replace, swap of neighbours) that turn a into b: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> distance(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) distance[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) distance[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t best = std::min(distance[i - 1][j], distance[i][j - 1]) + 1;
      best = std::min(best, distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, distance[i - 2][j - 2] + 1);
      }
      distance[i][j] = best;
    }
  }
  return distance[a.size()][b.size()];
}

std::string initials(std::string_view word) {
  std::string letters;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i == 0 || word[i - 1] == '_' || word[i - 1] == '-') letters += word[i];
  }
  return letters;
}

bool related(std::string_view word, std::string_view known) {
  const bool beginning =
      std::min(word.size(), known.size()) >= 3 && (known.starts_with(word) || word.starts_with(known));
  return beginning || (known.size() >= 2 && initials(word) == known) || (word.size() >= 2 && initials(known) == word);
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t kLongestWord = 64;  // longer ones are no misspelt keys, and the table of distances is quadratic
  if (word.size() > kLongestWord) return {};
  std::string best;
  std::size_t best_distance = std::clamp<std::size_t>(word.size() / 3, 1, 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (!best.empty()) return best;
  const auto found = std::find_if(known.begin(), known.end(), [&](const std::string& k) { return related(word, k); });
  return found == known.end() ? std::string() : *found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return fmt::format("{} (known: {})", near.empty() ? "" : fmt::format("; did you mean '{}'?", near),
                     fmt::join(known, ", "));
}

}  // namespace mpdist::train
