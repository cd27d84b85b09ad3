// SPDX-License-Identifier: Apache-2.0
#include "src/train/plan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/ranges.h>

namespace mpdist::train {
namespace {

/// The power of two nearest to n; halfway (3 * 2^k) goes up.
double nearest_power_of_two(std::int64_t n) {
  const auto below = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
  return static_cast<double>(n - below < 2 * below - n ? below : 2 * below);
}

}  // namespace

std::vector<int> fitting_ranks(std::int64_t shards) {
  std::vector<int> counts;
  for (std::int64_t local = 1; local <= shards; local *= 2) {
    if (shards % local == 0) counts.push_back(static_cast<int>(shards / local));
  }
  std::reverse(counts.begin(), counts.end());
  return counts;
}

Plan make_plan(const Config& config, std::int64_t samples, int ranks) {
  const std::int64_t shards = config.batch.shards, batch = config.batch.global;
  const std::vector<int> counts = fitting_ranks(shards);
  if (std::find(counts.begin(), counts.end(), ranks) == counts.end()) {
    throw UsageError(
        fmt::format("{} ranks do not fit batch.shards = {}: start with {} ranks, or change batch.shards to a "
                    "power of two times the number of ranks",
                    ranks, shards, fmt::join(counts, ", ")));
  }
  if (batch % shards != 0) {
    throw UsageError(fmt::format("batch.global = {} is not a multiple of batch.shards = {}", batch, shards));
  }
  Plan plan{.samples = samples,
            .global_batch = batch,
            .shards = shards,
            .ranks = ranks,
            .local_shards = shards / ranks,
            .shard_rows = batch / shards,
            .loss_terms_power = nearest_power_of_two(batch),
            .shards_power = static_cast<double>(std::bit_floor(static_cast<std::uint64_t>(shards))),
            .wire = config.comm.wire_type(config.precision.compute_type())};
  if (config.run.steps > 0) {
    plan.max_steps = config.run.steps;
  } else {
    const double batches = std::ceil(config.run.epochs * static_cast<double>(samples) / static_cast<double>(batch));
    plan.max_attempted = plan.max_steps = static_cast<std::int64_t>(batches);
  }
  return plan;
}

}  // namespace mpdist::train
