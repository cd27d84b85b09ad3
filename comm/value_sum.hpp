// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/stream.hpp"

namespace mpdist::comm {

/// A few FP32 values per shard, summed over all shards on the reduction tree.
class ValueSum {
 public:
  ValueSum(Communicator& communicator, std::int64_t local_shards);
  /// Shards in order; equally many values each.
  void add(std::int64_t local_shard, std::span<const float> values);
  /// Collective: every rank has added all its shards, or no rank any.
  void reduce();
  std::span<const float> reduced() const { return reduced_; }

 private:
  Communicator& communicator_;
  std::int64_t local_shards_, added_ = 0;
  Stream stream_;
  std::vector<std::vector<float>>
      levels_;  ///< a binary counter, as in GradientAccumulator; the last holds the local sum
  std::vector<float> reduced_;
  std::unique_ptr<SharedBuffer> buffer_;
};

}  // namespace mpdist::comm
