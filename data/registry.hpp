// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace mpdist::data {

/// One data format: `make` returns its own options (keys of [data]); `open` reads or generates the data.
struct Format {
  std::string name, help;
  std::function<std::unique_ptr<Options>()> options;
  std::function<Datasets(const Options&, const std::string& path, std::uint64_t seed)> open;
};

/// The plain table of formats; a new one is one line in registry.cpp.
const std::vector<Format>& formats();

}  // namespace mpdist::data
