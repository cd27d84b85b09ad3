// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/core/schema.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// One table of the config with its keys bound to the variables of one Config.
struct Table {
  std::string name;
  Schema schema;
};

/// Every table in the order in which it is printed, with the own keys of what is selected. The one list of keys:
/// reading, printing, comparing and help all walk it. Valid as long as `config` and its options live.
std::vector<Table> tables(Config& config);

/// A key whose word selects an entry of a registry, which brings own keys.
struct Choice {
  std::string table, key;
  Selected* selected = nullptr;
  struct Entry {
    std::string name;
    std::function<std::unique_ptr<Options>()> options;
  };
  std::vector<Entry> entries;
  std::vector<std::string> names() const;
};

/// model.name, data.format, optimizer.name, schedule.name.
std::vector<Choice> choices(Config& config);

}  // namespace mpdist::train
