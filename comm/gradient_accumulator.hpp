// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "src/core/parameters.hpp"
#include "src/core/stream.hpp"

namespace mpdist::comm {

/// Rounds leaves and combines those of the local shards by the tree, like a binary counter: shard j fills level
/// t = number of trailing ones of j with the sum of shards j+1-2^t .. j, so level t waits for its right sibling and
/// only log2(local shards) arrays are held. Each parameter counts for itself.
class GradientAccumulator {
 public:
  /// local_shards: a power of two. factor: of LeafRound. Pending arrays come from `pool`, that of the stream.
  GradientAccumulator(const ParameterStore& store, DType wire, std::int64_t local_shards, float factor, Pool& pool);

  /// Adds shard `local_shard` of the parameter; shards come in order. The last one leaves the sum in the parameter's
  /// slice of `sum` (an array of the store's layout, wire type). `nonfinite` (of a HostArray) receives the number of
  /// non-finite elements of the leaf.
  void add(Stream& stream, const Parameter& parameter, std::int64_t local_shard, const Tensor& gradient,
           const Tensor& sum, std::int64_t* nonfinite);
  /// Whether every local shard of the parameter has been added; `none` means that this step has not touched it.
  enum class State : unsigned char { none, partial, complete };
  State state(const Parameter& parameter) const;
  void start_step();

  std::int64_t levels() const { return static_cast<std::int64_t>(pending_.size()); }

 private:
  std::int64_t local_shards_;
  float factor_;
  std::vector<Tensor> pending_;             ///< [levels] flat arrays
  std::vector<std::int64_t> shards_added_;  ///< by parameter index
};

}  // namespace mpdist::comm
