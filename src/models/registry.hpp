// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/core/schema.hpp"
#include "src/core/shape.hpp"

namespace mpdist {
class ParameterStore;
}

namespace mpdist::models {

class Model;

/// One model by name: its own keys of [model], and how it is built for images of one shape. Building registers the
/// parameters in forward order; the caller then finalizes the store.
struct ModelEntry {
  std::string name, help;
  std::function<std::unique_ptr<Options>()> options;
  std::function<std::unique_ptr<Model>(const Options&, ParameterStore&, Shape image, std::int64_t classes)> make;
};

/// mlp, cnn; a new one is one line in registry.cpp.
const std::vector<ModelEntry>& models();

}  // namespace mpdist::models
