// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "src/core/host_array.hpp"
#include "src/precision/verdict.hpp"
#include "src/train/state.hpp"

namespace mpdist::train {

/// Digests of all that training changes, for an audit. Both must outlive it.
class StateDigests {
 public:
  StateDigests(const TrainingState& state, Stream& stream);
  /// Of the state as it is when what is enqueued so far has finished.
  void enqueue();
  /// What enqueue() came to, after stream.synchronize(); the digest of an empty tensor is 0.
  void fill(precision::Verdict& verdict) const;

 private:
  const TrainingState& state_;
  Stream& stream_;
  HostArray<std::uint64_t> digests_;  ///< master, working copy, statistics, average, optimizer slots
};

}  // namespace mpdist::train
