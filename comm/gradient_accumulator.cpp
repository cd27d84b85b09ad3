// SPDX-License-Identifier: Apache-2.0
#include "comm/gradient_accumulator.hpp"

#include <algorithm>
#include <bit>

#include "kernels/add.hpp"
#include "kernels/leaf_round.hpp"

namespace mpdist::comm {

GradientAccumulator::GradientAccumulator(const ParameterStore& store, DType wire, std::int64_t local_shards,
                                         float factor, Pool& pool)
    : local_shards_(local_shards), factor_(factor), shards_added_(store.trainable_parameters().size()) {
  const auto levels = std::countr_zero(static_cast<std::uint64_t>(local_shards));
  for (int level = 0; level < levels; ++level) {
    pending_.emplace_back(Shape{store.trainable_elements()}, wire, MemoryKind::gradients, pool);
  }
}

void GradientAccumulator::add(Stream& stream, const Parameter& parameter, std::int64_t local_shard,
                              const Tensor& gradient, const Tensor& sum, std::int64_t* nonfinite) {
  std::int64_t& added = shards_added_[parameter.index];
  require(local_shard == added && added < local_shards_, "gradient of {}: shard {} of {} expected, found {}",
          parameter.name, added, local_shards_, local_shard);
  require(gradient.dtype() == DType::fp32 && gradient.elements() == parameter.elements(),
          "gradient of {}: {} elements of fp32 expected, found {} of {}", parameter.name, parameter.elements(),
          gradient.elements(), name_of(gradient.dtype()));
  const Shape flat{parameter.elements()};
  const auto carry = static_cast<std::size_t>(std::countr_one(static_cast<std::uint64_t>(local_shard)));
  const Tensor target =
      ParameterStore::slice(carry < pending_.size() ? pending_[carry] : sum, parameter).reshaped(flat);
  kernels::leaf_round(stream,
                      {.gradient = gradient.reshaped(flat), .leaf = target, .factor = factor_, .nonfinite = nonfinite});
  for (std::size_t level = 0; level < carry; ++level) {
    const Tensor left = ParameterStore::slice(pending_[level], parameter).reshaped(flat);
    kernels::add(stream, {.left = left, .right = target, .out = target});
  }
  ++added;
}

GradientAccumulator::State GradientAccumulator::state(const Parameter& parameter) const {
  const std::int64_t added = shards_added_[parameter.index];
  return added == 0 ? State::none : added < local_shards_ ? State::partial : State::complete;
}

void GradientAccumulator::start_step() {
  std::fill(shards_added_.begin(), shards_added_.end(), 0);
}

}  // namespace mpdist::comm
