// SPDX-License-Identifier: Apache-2.0
#include "src/core/parameters.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "src/core/copy.hpp"
#include "src/core/name_pattern.hpp"
#include "src/core/philox.hpp"

namespace mpdist {
namespace {

/// Box and Muller (1958) in double precision, from two words; u1 is in (0, 1].
double normal(std::uint32_t word1, std::uint32_t word2) {
  const double u1 = (static_cast<double>(word1) + 1.0) * 0x1p-32;
  const double u2 = static_cast<double>(word2) * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u1)) * std::cos(2.0 * std::numbers::pi * u2);
}

void initialize(const Parameter& p, float* values, std::uint64_t seed) {
  const RandomKey key{.seed = seed, .operation = hash_name("initialize." + p.name)};
  const double he = std::sqrt(2.0 / static_cast<double>(p.fan_in));
  const double limit = std::sqrt(6.0 / static_cast<double>(p.fan_in + p.fan_out));
  for (std::int64_t i = 0; i < p.elements(); ++i) {
    switch (p.initializer) {
      case Initializer::zeros:
        values[i] = 0;
        break;
      case Initializer::ones:
        values[i] = 1;
        break;
      case Initializer::he_normal: {
        const auto words = key.words(0, static_cast<std::uint64_t>(i));
        values[i] = static_cast<float>(he * normal(words[0], words[1]));
        break;
      }
      case Initializer::glorot_uniform: {
        const auto words = key.words(0, static_cast<std::uint64_t>(i));
        values[i] = static_cast<float>(limit * (2.0 * (static_cast<double>(words[0]) * 0x1p-32) - 1.0));
        break;
      }
    }
  }
}

}  // namespace

Parameter& ParameterStore::add(std::string layer, std::string leaf, Shape shape, ParameterRole role,
                               Initializer initializer, std::int64_t fan_in, std::int64_t fan_out) {
  require(!master_, "parameter {}.{} added after finalize()", layer, leaf);
  std::string name = layer + "." + leaf;
  for (const Parameter& other : registered_) require(other.name != name, "two parameters are named {}", name);
  registered_.push_back({.name = std::move(name),
                         .layer = std::move(layer),
                         .shape = shape,
                         .role = role,
                         .initializer = initializer,
                         .fan_in = fan_in,
                         .fan_out = fan_out});
  trainable_ += shape.elements();
  return registered_.back();
}

Statistic& ParameterStore::add_statistic(std::string layer, std::string leaf, std::int64_t elements, float initial,
                                         float momentum) {
  require(!master_, "statistic {}.{} added after finalize()", layer, leaf);
  const std::int64_t offset =
      statistics_layout_.empty() ? 0 : statistics_layout_.back().offset + statistics_layout_.back().elements;
  statistics_layout_.push_back(
      {.name = layer + "." + leaf, .elements = elements, .initial = initial, .momentum = momentum, .offset = offset});
  return statistics_layout_.back();
}

int ParameterStore::freeze(std::string_view pattern) {
  require(!master_, "freeze(\"{}\") after finalize()", pattern);
  int matching = 0;
  for (Parameter& p : registered_) {
    if (!matches_pattern(pattern, p.name)) continue;
    ++matching;
    if (std::exchange(p.frozen, true)) continue;
    trainable_ -= p.elements();
    frozen_ += p.elements();
  }
  return matching;
}

/// Gives the parameters their places: those that are frozen, or those that are not.
void ParameterStore::lay_out(bool frozen) {
  for (auto p = registered_.rbegin(); p != registered_.rend(); ++p) {
    if (p->frozen != frozen) continue;
    p->index = static_cast<int>(ordered_.size());
    p->offset = elements_;
    elements_ += (p->elements() + kParameterAlignment - 1) / kParameterAlignment * kParameterAlignment;
    ordered_.push_back(&*p);
  }
}

/// [elements] on the host.
Tensor ParameterStore::initial_masters(std::uint64_t seed) const {
  const Tensor masters({elements_}, DType::fp32, MemoryKind::parameters, pool_->host_side());
  std::memset(masters.raw(), 0, masters.bytes());
  for (const Parameter* p : ordered_) initialize(*p, masters.data<float>() + p->offset, seed);
  return masters;
}

Tensor ParameterStore::initial_statistics() const {
  const Statistic& last = statistics_layout_.back();
  const Tensor statistics({last.offset + last.elements}, DType::fp32, MemoryKind::parameters, pool_->host_side());
  for (const Statistic& s : statistics_layout_) std::fill_n(statistics.data<float>() + s.offset, s.elements, s.initial);
  return statistics;
}

void ParameterStore::finalize(DType compute, std::uint64_t seed, Pool& pool) {
  require(!master_, "finalize() called twice");
  require(is_compute_type(compute), "compute type {}", name_of(compute));
  compute_ = compute;
  pool_ = &pool;
  lay_out(false);
  trainable_count_ = ordered_.size();
  trainable_elements_ = elements_;
  lay_out(true);
  const Stream stream(pool);
  master_ = to_device(stream, initial_masters(seed), MemoryKind::parameters);
  if (!statistics_layout_.empty()) {
    statistics_ = to_device(stream, initial_statistics(), MemoryKind::parameters);
  }
  working_ = compute == DType::fp32 ? master_ : Tensor({elements_}, compute, MemoryKind::parameters, pool);
  if (compute != DType::fp32) fill_zero(stream, working_);
  stream.synchronize();
}

Tensor ParameterStore::zeros(std::int64_t elements, MemoryKind kind) const {
  const Stream stream(*pool_);
  const Tensor result({elements}, DType::fp32, kind, *pool_);
  fill_zero(stream, result);
  stream.synchronize();
  return result;
}

const Parameter* ParameterStore::find(std::string_view name) const {
  const auto found =
      std::find_if(ordered_.begin(), ordered_.end(), [&](const Parameter* p) { return p->name == name; });
  return found == ordered_.end() ? nullptr : *found;
}

Tensor ParameterStore::slice(const Tensor& flat, const Parameter& p) {
  return flat.rows(p.offset, p.offset + p.elements()).reshaped(p.shape);
}

}  // namespace mpdist
