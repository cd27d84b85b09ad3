// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
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

/// The entry of model class M with options O: M(const O&, ParameterStore&, Shape image, std::int64_t classes).
template <class M, class O>
ModelEntry entry(std::string name, std::string help) {
  return {std::move(name), std::move(help), [] { return std::make_unique<O>(); },
          [](const Options& options, ParameterStore& store, Shape image, std::int64_t classes) {
            return std::unique_ptr<Model>(new M(dynamic_cast<const O&>(options), store, image, classes));
          }};
}

/// All models; a new one of this library is one line in registry.cpp.
const std::vector<ModelEntry>& models();

/// Adds a model of a program's own; before the config is read (launch::program). InvalidArgument when its name is
/// taken.
void add(ModelEntry entry);

}  // namespace mpdist::models
