// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/parameters.hpp"
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// Parameters, a gradient in the wire type and a stream: what an optimizer needs, without a model.
struct SmallStore {
  ParameterStore store;
  Tensor gradient;
  Stream stream;

  /// One weight, one bias and one norm parameter of `elements` each, all masters 1.
  explicit SmallStore(std::int64_t elements, DType compute = DType::fp32, DType wire = DType::fp32) {
    store.add("fc", "weight", {elements}, ParameterRole::weight, Initializer::ones);
    store.add("fc", "bias", {elements}, ParameterRole::bias, Initializer::ones);
    store.add("norm", "scale", {elements}, ParameterRole::norm, Initializer::ones);
    store.finalize(compute, 1);
    gradient = Tensor({store.elements()}, wire, MemoryKind::gradients);
    std::memset(gradient.raw(), 0, gradient.bytes());
  }

  std::span<float> master(std::string_view name) { return store.master(*store.find(name)).span<float>(); }

  template <class T>
  std::span<T> gradient_of(std::string_view name) {
    return ParameterStore::slice(gradient, *store.find(name)).span<T>();
  }
};

inline const OptimizerEntry& entry_of(std::string_view name) {
  const auto& all = optimizers();
  return *std::find_if(all.begin(), all.end(), [&](const OptimizerEntry& e) { return e.name == name; });
}

}  // namespace mpdist::optim
