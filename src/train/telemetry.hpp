// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/host_array.hpp"
#include "src/core/parameters.hpp"
#include "src/nn/tape.hpp"
#include "src/precision/telemetry.hpp"

namespace mpdist::train {

/// Counts where gradients lie: the reduced gradient by parameter, and the activation gradients by operation, summed
/// over all shards. Integers, so they are the same at any number of ranks. Only looks: the bits of the run stay what
/// they are. What it needs it allocates in the first step it watches.
class Telemetry : public nn::Observer {
 public:
  Telemetry(const ParameterStore& store, Stream& stream);

  /// Begins to watch a step; `next` (or null) sees everything first.
  void begin(nn::Observer* next);
  /// Before each local shard: its operations are those of the shard before.
  void enter_shard() { place_ = 0; }
  void activation(const std::string& layer, const char* operation, const Tensor& value) override;
  void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) override;
  /// Collective, at the step's end, once the stream has been synchronized: adds up the activation gradients of all
  /// ranks and counts the reduced gradient (elements of the store, wire type).
  void end(comm::Communicator& communicator, const Tensor& reduced);

  /// Of the last step watched; parameters in gradient order, operations in the order of the backward pass.
  std::span<const precision::TensorRange> gradients() const { return gradients_; }
  std::span<const precision::TensorRange> activation_gradients() const { return activations_; }

 private:
  Stream& stream_;
  nn::Observer* next_ = nullptr;
  std::size_t place_ = 0;                                              ///< of the next activation gradient
  std::vector<kernels::SegmentSpan> segments_;                         ///< of the reduced gradient
  std::vector<precision::TensorRange> gradients_;                      ///< by parameter
  std::vector<precision::TensorRange> activations_;                    ///< by place in the backward pass
  std::vector<HostValue<kernels::ExponentCounts>> activation_counts_;  ///< of this rank, while the step runs
  std::optional<HostArray<kernels::ExponentCounts>> gradient_counts_;  ///< by parameter
  std::vector<std::int64_t> lanes_;  ///< all counts of activations_, for the sum over ranks
};

}  // namespace mpdist::train
