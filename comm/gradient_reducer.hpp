// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/parameters.hpp"
#include "src/core/stream.hpp"

namespace mpdist::comm {

struct GradientReducerOptions {
  DType wire = DType::fp16;
  std::int64_t shards = 8;  ///< S of the global batch; size() divides it into runs of a power of two
  bool tree = true;         ///< false: the library's sum
  std::int64_t first_bucket_bytes = 1 << 20;
  std::int64_t bucket_bytes = 25 << 20;
  /// A communication thread exchanges buckets while the last local shard is still in backward; has_spare_cpus() of the
  /// factory says whether it pays. Equal on all ranks. Ignored where the backend may not be called by two threads.
  bool overlap = false;
};

/// A leaf with non-finite elements.
struct NonfiniteLeaf {
  int parameter = 0;       ///< place in gradient order
  std::int64_t shard = 0;  ///< of the global batch
  std::int64_t count = 0;  ///< non-finite elements
  bool operator==(const NonfiniteLeaf&) const = default;
};

/// Turns the shard gradients of one step into the reduced gradient.
/// Per step: leaf() for every parameter of every local shard, shards in order; then reduce(); then release() once the
/// gradient has been used. Each leaf is rounded once to the wire type (factor 1/K, K the largest power of two not above
/// S) and combined at once with its finished siblings of the tree, so log2(S/N) pending gradient arrays are held.
/// Slices that are complete are exchanged bucket by bucket. A parameter without any leaf in a step has a zero
/// gradient; frozen ones have none. Constructor, reduce() and destructor are collective.
class GradientReducer {
 public:
  GradientReducer(const ParameterStore& store, Communicator& communicator, GradientReducerOptions options);
  ~GradientReducer();

  /// gradient: FP32, elements as the parameter, finished over all its uses in this shard.
  void leaf(Stream& stream, const Parameter& parameter, std::int64_t local_shard, const Tensor& gradient);
  /// Small FP32 values that travel through the same tree, unscaled: the loss sum, correct count, batch-norm statistics.
  /// `values` of each local shard in order, equally many each time; reduce() leaves their tree sum in reduced_values().
  void values(std::int64_t local_shard, std::span<const float> values);
  /// Completes the sum. [trainable elements of the store] wire type, the same bits on every rank; valid until release(), read
  /// only.
  Tensor reduce(Stream& stream);
  std::span<const float> reduced_values() const;  ///< of the last reduce(); empty when the step had none
  /// This rank has used the gradient of this step: its memory may be overwritten. Waits for nobody.
  void release();

  /// Of the local shards of this step, in the order found; until the first leaf() after release().
  const std::vector<NonfiniteLeaf>& nonfinite() const;
  /// Pending gradient arrays held: log2(S/N). `mpdist check` counts them.
  std::int64_t pending_arrays() const;
  std::int64_t wire_bytes() const;  ///< of one gradient array
  /// Seconds spent in the exchange during the last reduce().
  double exchange_s() const;
  /// Bytes handed to other ranks by this reducer so far, with those of its own duplicated communicator.
  std::int64_t bytes_sent() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mpdist::comm
