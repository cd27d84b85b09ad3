// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/core/parameters.hpp"
#include "src/nn/tape.hpp"

namespace mpdist::train {

/// A planted fault for drills, from the environment variable MPDIST_FAULT, several joined by commas:
///   overflow:step=5:rank=1:tensor=conv2.weight     the shard gradient's first element becomes infinite in backward
///   nan-activation:step=5:rank=1:layer=conv2       the layer's first output becomes NaN in forward
///   drop-gradient:step=5:rank=1                    the rank's gradients are zero
///   flip-weight:step=5:rank=1:tensor=conv2.weight  the lowest bit of the first master changes after the update: drift
/// `step` is the attempted step, from 0; `shard=j` narrows to one shard of the global batch.
struct Fault {
  enum class Kind : unsigned char { overflow, nan_activation, drop_gradient, flip_weight };
  Kind kind = Kind::overflow;
  std::int64_t step = -1;
  std::int64_t rank = -1;
  std::int64_t shard = -1;  ///< any
  std::string target;       ///< tensor or layer
};

/// Parses MPDIST_FAULT. Throws UsageError naming the misspelt word and the known ones.
std::vector<Fault> parse_faults(const std::string& text);

/// Throws UsageError when a fault names a tensor, layer or rank that does not exist.
void check_faults(const std::vector<Fault>& faults, const ParameterStore& store, int ranks);

/// The faults of one rank as the step sees them. Pure functions of (attempted step, shard): a replay meets them again.
class FaultPlan : public nn::Observer {
 public:
  /// Strikes tensors of the stream's device.
  FaultPlan(std::vector<Fault> faults, int rank, Stream& stream);
  void enter(std::int64_t attempted, std::int64_t shard) { attempted_ = attempted, shard_ = shard; }
  bool empty() const { return faults_.empty(); }

  void activation(const std::string& layer, const char* operation, const Tensor& value) override;
  void activation_gradient(const std::string&, const char*, const Tensor&) override {}
  /// Changes a finished FP32 shard gradient.
  void parameter_gradient(const Parameter& parameter, const Tensor& gradient) const;
  /// Changes masters after the update of `attempted`.
  void masters(std::int64_t attempted, ParameterStore& store) const;

 private:
  bool strikes(const Fault& fault, Fault::Kind kind) const;

  std::vector<Fault> faults_;  ///< of this rank
  Stream& stream_;
  std::int64_t attempted_ = -1, shard_ = -1;
};

}  // namespace mpdist::train
