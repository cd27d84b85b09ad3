// SPDX-License-Identifier: Apache-2.0
#include "src/train/datasets.hpp"

#include <algorithm>

#include "data/registry.hpp"
#include "src/core/error.hpp"

namespace mpdist::train {

data::Datasets open_datasets(const Config& config) {
  const auto& formats = data::formats();
  const auto format = std::find_if(formats.begin(), formats.end(),
                                   [&](const data::Format& entry) { return entry.name == config.data.format.name; });
  require(format != formats.end(), "no data format named {}", config.data.format.name);
  return format->open(*config.data.format.options, config.data.path, static_cast<std::uint64_t>(config.run.seed));
}

}  // namespace mpdist::train
