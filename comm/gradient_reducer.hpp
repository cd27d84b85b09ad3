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
  /// factory says whether it pays. Equal on all ranks. Ignored where the backend may not be called by two threads, and
  /// on a GPU, where each bucket is enqueued as soon as it is complete.
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
/// Per step: leaf() for every parameter of every local shard, shards in order; then reduce(); then synchronize(), after
/// which nonfinite() may be read, and values() of each local shard and reduce_values(); then release() once the
/// gradient has been used. Each leaf is rounded once to the wire type (factor 1/K, K the largest power of two not above
/// S) and combined at once with its finished siblings of the tree, so log2(S/N) pending gradient arrays are held.
/// Slices that are complete are exchanged bucket by bucket. A parameter without any leaf in a step has a zero
/// gradient; frozen ones have none. On a GPU nothing waits but synchronize(). Constructor, reduce(), reduce_values()
/// and destructor are collective. An exchange that fails is an ExchangeError that names step and bucket.
class GradientReducer {
 public:
  /// host: carries the values. gradients: owns the gradient's memory, on the device of `stream`; on the CPU both are
  /// one. Every `stream` below is this one.
  GradientReducer(const ParameterStore& store, Communicator& host, Communicator& gradients, Stream& stream,
                  GradientReducerOptions options);
  ~GradientReducer();

  /// The attempted step that errors name from now on.
  void set_step(std::int64_t attempted);

  /// gradient: FP32, elements as the parameter, finished over all its uses in this shard.
  void leaf(Stream& stream, const Parameter& parameter, std::int64_t local_shard, const Tensor& gradient);
  /// Completes the sum. [trainable elements of the store] wire type, the same bits on every rank; for what is enqueued
  /// on the stream from now on until release(), read only.
  Tensor reduce(Stream& stream);
  /// Returns when all that was enqueued on the stream has finished, the exchanges before reduce() among it; throws
  /// ExchangeError when one of them fails.
  void synchronize(Stream& stream);
  /// Of the local shards of this step, in the order of the leaves; after synchronize(), until the first leaf() after
  /// release().
  const std::vector<NonfiniteLeaf>& nonfinite() const;

  /// Small FP32 values that travel through the same tree, unscaled: the loss sum, correct count, batch-norm statistics.
  /// `values` of each local shard in order, equally many each time.
  void values(std::int64_t local_shard, std::span<const float> values);
  /// Leaves the tree sum of the values in reduced_values(). Every rank has given those of all its shards, or no rank
  /// any.
  void reduce_values();
  std::span<const float> reduced_values() const;  ///< of the last reduce_values(); empty when there were none
  /// What is enqueued so far was the last use of this step's gradient on this rank: its memory may be overwritten.
  /// Waits for nobody.
  void release(Stream& stream);

  /// Pending gradient arrays held: log2(S/N). `mpdist check` counts them.
  std::int64_t pending_arrays() const;
  std::int64_t wire_bytes() const;  ///< of one gradient array
  /// Seconds spent in the exchange during the last reduce() and reduce_values(); on a GPU without what is only
  /// enqueued.
  double exchange_s() const;
  /// Bytes handed to other ranks by the communicator of the gradients, since this reducer was made, and with the
  /// values.
  std::int64_t bytes_sent() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mpdist::comm
