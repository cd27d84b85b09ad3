// SPDX-License-Identifier: Apache-2.0
#include "src/train/name_patterns.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "src/core/name_pattern.hpp"
#include "src/train/suggest.hpp"

namespace mpdist::train {
namespace {

/// What a pattern that matches nothing may have been meant to be: names, and patterns of whole layers and of leaves.
std::string nearest_pattern(const std::string& pattern, const ParameterStore& store) {
  std::set<std::string> known;
  for (const Parameter& p : store.registered()) {
    known.insert(p.name);
    known.insert("*" + p.name.substr(p.layer.size()));
    for (std::size_t dot = p.name.find('.'); dot != std::string::npos; dot = p.name.find('.', dot + 1)) {
      known.insert(p.name.substr(0, dot) + ".*");
    }
  }
  return nearest(pattern, {known.begin(), known.end()});
}

[[noreturn]] void fail_unmatched(const std::string& key, const std::string& pattern, const ParameterStore& store) {
  const std::string near = nearest_pattern(pattern, store);
  throw UsageError(fmt::format("{}: '{}' matches no parameter{}; `mpdist check` without it lists their names", key,
                               pattern, near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
}

}  // namespace

void freeze(const std::vector<std::string>& patterns, ParameterStore& store) {
  for (const std::string& pattern : patterns) {
    if (store.freeze(pattern) == 0) fail_unmatched("model.freeze", pattern, store);
  }
  if (store.trainable() == 0) {
    throw UsageError("model.freeze: every parameter of the model is frozen; expected some that are left to train");
  }
}

void check_groups(const optim::OptimizerOptions& options, const ParameterStore& store) {
  std::set<const Parameter*> decided;
  for (std::size_t i = 0; i < options.groups.elements.size(); ++i) {
    const std::string& pattern = optim::group_of(options.groups.elements[i]).pattern;
    const std::string key = fmt::format("optimizer.groups[{}].pattern", i);
    bool matches = false;
    const std::size_t before = decided.size();
    for (const Parameter& p : store.registered()) {
      if (!matches_pattern(pattern, p.name)) continue;
      matches = true;
      if (!p.frozen) decided.insert(&p);
    }
    if (!matches) fail_unmatched(key, pattern, store);
    if (decided.size() == before) {
      throw UsageError(
          fmt::format("{}: every parameter that '{}' matches is frozen or belongs to an earlier group, and the first "
                      "that matches counts; put it before those, or leave it out",
                      key, pattern));
    }
  }
}

}  // namespace mpdist::train
