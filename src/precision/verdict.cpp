// SPDX-License-Identifier: Apache-2.0
#include "src/precision/verdict.hpp"

#include <limits>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

constexpr std::int64_t kNothingBad = std::numeric_limits<std::int64_t>::max();
constexpr int kShardBits = 19, kRankBits = 20, kParameterBits = 24;  // 63 bits: packed records are never negative

/// Integers that compare as (parameter, shard, rank) does; always below kNothingBad.
std::int64_t pack(const BadTensor& bad) {
  const auto fits = [](std::int64_t value, int bits) { return value >= 0 && value < (std::int64_t{1} << bits) - 1; };
  require(fits(bad.parameter, kParameterBits) && fits(bad.shard, kShardBits) && fits(bad.rank, kRankBits),
          "verdict: parameter {}, shard {}, rank {} do not fit the record", bad.parameter, bad.shard, bad.rank);
  return (((bad.parameter << kShardBits) | bad.shard) << kRankBits) | bad.rank;
}

BadTensor unpack(std::int64_t packed) {
  return {.parameter = packed >> (kShardBits + kRankBits),
          .shard = (packed >> kRankBits) & ((std::int64_t{1} << kShardBits) - 1),
          .rank = packed & ((std::int64_t{1} << kRankBits) - 1)};
}

}  // namespace

void Verdict::add_bad(const BadTensor& bad) {
  if (!first_bad || bad < *first_bad) first_bad = bad;
}

StepEvent Verdict::event() const {
  if (forward_nonfinite > 0) return StepEvent::forward_nonfinite;
  if (backward_nonfinite > 0 || equal[sum_nonfinite] > 0) return StepEvent::gradient_overflow;
  return StepEvent::clean;
}

std::array<std::int64_t, Verdict::kLanes> Verdict::to_lanes() const {
  std::array<std::int64_t, kLanes> lanes{};
  std::size_t lane = 0;
  lanes[lane++] = first_bad ? pack(*first_bad) : kNothingBad;
  for (std::uint64_t value : equal) {
    lanes[lane++] = static_cast<std::int64_t>(value);
    lanes[lane++] = static_cast<std::int64_t>(~value);
  }
  for (std::int64_t value : {forward_nonfinite, backward_nonfinite, loss_terms, stop_requests, save_requests}) {
    lanes[lane++] = value;
  }
  return lanes;
}

Verdict Verdict::from_lanes(std::span<const std::int64_t, kLanes> lanes, std::vector<Equal>& different) {
  Verdict verdict;
  different.clear();
  std::size_t lane = 0;
  if (lanes[lane] != kNothingBad) verdict.first_bad = unpack(lanes[lane]);
  ++lane;
  for (int entry = 0; entry < kEqualCount; ++entry) {
    const auto least = static_cast<std::uint64_t>(lanes[lane++]);
    const auto greatest = ~static_cast<std::uint64_t>(lanes[lane++]);  // min(~x) = ~max(x), signed too
    verdict.equal[static_cast<std::size_t>(entry)] = least;
    if (least != greatest) different.push_back(static_cast<Equal>(entry));
  }
  for (std::int64_t* value : {&verdict.forward_nonfinite, &verdict.backward_nonfinite, &verdict.loss_terms,
                              &verdict.stop_requests, &verdict.save_requests}) {
    *value = lanes[lane++];
  }
  return verdict;
}

std::string_view Verdict::name_of(Equal entry) {
  static constexpr std::array<std::string_view, kEqualCount> names{"attempted step",
                                                                   "applied step",
                                                                   "loss scale",
                                                                   "loss scaler tracker",
                                                                   "loss scaler allowance",
                                                                   "loss scaler count of hopeless skips",
                                                                   "data cursor",
                                                                   "digest of the reduced gradient",
                                                                   "non-finite sums",
                                                                   "digest of masters",
                                                                   "digest of the working copy",
                                                                   "digest of optimizer state",
                                                                   "digest of statistics",
                                                                   "digest of the moving average"};
  return names.at(static_cast<std::size_t>(entry));
}

}  // namespace mpdist::precision
