// SPDX-License-Identifier: Apache-2.0
#include "src/train/datasets.hpp"

#include "data/registry.hpp"
#include "src/train/registry.hpp"

namespace mpdist::train {

data::Datasets open_datasets(const Config& config) {
  const data::Format& format = entry_named(data::formats(), config.data.format.name);
  return format.open(*config.data.format.options, config.data.path, static_cast<std::uint64_t>(config.run.seed));
}

}  // namespace mpdist::train
