// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::train {

/// The entry of a registry (models, formats, optimizers, schedules) by its name. The config refuses other names, so a
/// missing one is a defect: InvalidArgument.
template <class Entry>
const Entry& entry_named(const std::vector<Entry>& registry, const std::string& name) {
  const auto found = std::find_if(registry.begin(), registry.end(), [&](const Entry& e) { return e.name == name; });
  require(found != registry.end(), "no registry entry is named {}", name);
  return *found;
}

}  // namespace mpdist::train
