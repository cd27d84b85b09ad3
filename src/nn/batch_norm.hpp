// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// Batch normalisation over all but the last dimension, then the residual (where there is one) and ReLU (where asked):
/// y = activation((x - mean) * rstd * gamma + beta + residual), in one operation. In training the statistics are those
/// of the pass's rows, one shard, and are left in pass.shard_statistics; in evaluation the running ones are used.
/// Parameters <name>.gamma (one) and <name>.beta (zero), read from the master; statistics <name>.mean and
/// <name>.variance (unbiased).
class BatchNorm {
 public:
  BatchNorm(ParameterStore& store, std::string name, std::int64_t channels, bool relu, float momentum = 0.1F);
  /// `residual`: a variable without a value where there is none.
  Variable operator()(const Pass& pass, const Variable& x, const Variable& residual = {}) const;

 private:
  Variable infer(const Pass& pass, const Variable& x, const Variable& residual) const;

  std::string name_;
  const Parameter *gamma_, *beta_;
  const Statistic *mean_, *variance_;
  bool relu_;
};

}  // namespace mpdist::nn
