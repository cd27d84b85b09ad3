// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "src/train/config.hpp"

namespace mpdist::train {

/// How one run is cut: the numbers that DESIGN 4 names, derived once from config, data set size and ranks.
struct Plan {
  std::int64_t samples = 0;        ///< n: training samples
  std::int64_t global_batch = 0;   ///< B
  std::int64_t shards = 0;         ///< S
  int ranks = 1;                   ///< N
  std::int64_t local_shards = 0;   ///< S / N, a power of two
  std::int64_t shard_rows = 0;     ///< B / S
  double loss_terms_power = 1;     ///< M: the power of two nearest to the number of loss terms of a full batch
  double shards_power = 1;         ///< K: the largest power of two not above S
  std::int64_t max_attempted = 0;  ///< batches after which the run ends; 0: ends by steps
  std::int64_t max_steps = 0;      ///< applied updates after which the run ends; with epochs the schedule's length too
  DType wire = DType::fp32;

  std::int64_t local_rows() const { return local_shards * shard_rows; }
  /// Positions in the global batch of rank r begin here.
  std::int64_t first_position(int rank) const { return rank * local_rows(); }
  bool finished(std::int64_t step, std::int64_t attempted) const {
    return max_attempted > 0 ? attempted >= max_attempted : step >= max_steps;
  }
  /// Finished, and not beyond: the run was not longer before.
  bool just_finished(std::int64_t step, std::int64_t attempted) const {
    return max_attempted > 0 ? attempted == max_attempted : step == max_steps;
  }
};

/// Rank counts N with N | S and S/N a power of two.
std::vector<int> fitting_ranks(std::int64_t shards);

/// Throws UsageError when the batch does not divide or the rank count does not fit, listing the counts that do.
Plan make_plan(const Config& config, std::int64_t samples, int ranks);

}  // namespace mpdist::train
