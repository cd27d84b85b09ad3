// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/precision/loss_scaler.hpp"

namespace mpdist::precision {

/// First bad tensor: the minimum of (gradient order, shard) over all ranks, with the rank that owns the shard. Limits:
/// 2^24 parameters, 2^19 shards, 2^20 ranks.
struct BadTensor {
  std::int64_t parameter = 0;  ///< place in gradient order
  std::int64_t shard = 0;
  std::int64_t rank = 0;
  auto operator<=>(const BadTensor&) const = default;
};

/// What one rank reports of one attempted step, and, merged, what all ranks decide on. Merging takes the minimum or the
/// sum of lanes of integers, so any order of merging gives the same value.
struct Verdict {
  // Sums over ranks.
  std::int64_t forward_nonfinite = 0;   ///< local shards with a non-finite loss
  std::int64_t backward_nonfinite = 0;  ///< leaves (parameter, shard) with a non-finite element
  std::int64_t loss_terms = 0;          ///< C
  std::int64_t stop_requests = 0;       ///< ranks that were asked to stop (signal, time limit)
  std::int64_t save_requests = 0;       ///< ranks whose clock asks for a checkpoint (rank 0 only)
  // Minimum over ranks.
  std::optional<BadTensor> first_bad;

  /// What must be equal on all ranks. The audit_* entries are zero except in an audit.
  enum Equal : int {
    attempted,
    step,
    scale_bits,
    tracker,
    allowance,
    hopeless_skips,
    cursor,
    reduced_digest,
    sum_nonfinite,
    audit_master,
    audit_working,
    audit_optimizer,
    audit_statistics,
    audit_ema,
    kEqualCount
  };
  std::array<std::uint64_t, kEqualCount> equal{};

  /// Names a bad leaf; the smallest (parameter, shard, rank) named stays.
  void add_bad(const BadTensor& bad);
  /// What the merged record says of the step. A non-finite loss goes before what it did to the gradients.
  StepEvent event() const;

  /// Lanes for Communicator::merge_lanes: first the minimum lanes, then the sum lanes. Equality travels as minimum of x
  /// and minimum of ~x. to_lanes throws InvalidArgument when first_bad is outside its limits.
  static constexpr std::size_t kMinimumLanes = 1 + 2 * kEqualCount;
  static constexpr std::size_t kLanes = kMinimumLanes + 5;
  std::array<std::int64_t, kLanes> to_lanes() const;
  /// The merged verdict; `different` receives the Equal entries that are not equal on all ranks.
  static Verdict from_lanes(std::span<const std::int64_t, kLanes> lanes, std::vector<Equal>& different);
  static std::string_view name_of(Equal entry);
};

}  // namespace mpdist::precision
