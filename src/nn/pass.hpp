// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "src/core/philox.hpp"
#include "src/nn/tape.hpp"

namespace mpdist::nn {

/// One forward pass over some rows of a batch: what every operation needs to know.
struct Pass {
  Stream& stream;
  const ParameterStore& parameters;
  Tape* tape = nullptr;  ///< null in evaluation: nothing is recorded
  Observer* observer = nullptr;
  std::uint64_t seed = 0;           ///< of the run
  std::int64_t attempted = 0;       ///< attempted step: the time of random keys
  Tensor shard_statistics = {};     ///< [statistics of the store] FP32: norms in training leave theirs here
  std::int64_t first_position = 0;  ///< place of row 0 in the global batch: the item of random keys

  bool training() const { return tape != nullptr; }

  /// A new activation in the compute type.
  Tensor activation(const Shape& shape) const {
    return Tensor(shape, parameters.compute_type(), MemoryKind::activations, stream.pool());
  }
  Tensor like(const Tensor& other) const {
    return Tensor(other.shape(), other.dtype(), MemoryKind::activations, stream.pool());
  }
  RandomKey key(const std::string& layer) const {
    return {.seed = seed, .operation = hash_name(layer), .time = static_cast<std::uint32_t>(attempted)};
  }

  /// Ends an operation: shows the output to the observer and, in training, records its derivative.
  Variable finish(const std::string& layer, const char* operation, Tensor output,
                  std::initializer_list<const Parameter*> used, Tape::Backward backward) const {
    if (observer) observer->activation(layer, operation, output);
    if (!training()) return {std::move(output)};
    return tape->record(layer, operation, std::move(output), used, std::move(backward));
  }
};

}  // namespace mpdist::nn
