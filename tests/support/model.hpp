// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "src/core/error.hpp"
#include "src/core/parameters.hpp"
#include "src/models/model.hpp"
#include "src/models/registry.hpp"

namespace mpdist::test {

/// Sets one key of a model's own options; InvalidArgument when there is no such key of this type.
template <class T>
void set_option(Options& options, const std::string& name, const T& value) {
  Schema schema;
  options.describe(schema);
  for (const Key& key : schema.keys()) {
    if (key.name != name) continue;
    *std::get<T*>(key.value) = value;
    return;
  }
  throw InvalidArgument("no key " + name);
}

/// A registered model by name, its parameters in `store`, with its default options changed by `change`.
inline std::unique_ptr<models::Model> make_model(const std::string& name, ParameterStore& store, Shape image,
                                                 std::int64_t classes, const std::function<void(Options&)>& change) {
  for (const models::ModelEntry& entry : models::models()) {
    if (entry.name != name) continue;
    const std::unique_ptr<Options> options = entry.options();
    change(*options);
    return entry.make(*options, store, image, classes);
  }
  throw InvalidArgument("no model " + name);
}

}  // namespace mpdist::test
