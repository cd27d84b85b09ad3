// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "src/checkpoint/checkpoint.hpp"
#include "src/core/stream.hpp"

namespace mpdist::train {

/// What all ranks should hold alike: named scalars and named tensors, in the same order on every rank.
struct SharedState {
  std::vector<std::pair<std::string, std::uint64_t>> scalars;
  std::vector<checkpoint::NamedTensor> tensors;
};

/// Digest of a whole flat array (kernels::digest).
std::uint64_t digest_of(Stream& stream, const Tensor& flat);

/// Collective. Finds what differs between the ranks, scalars first, then tensors, and throws a
/// collective Disagreement that names the ranks outside the majority (with a tie: all candidates), the tensor, its
/// first differing element and the values.
[[noreturn]] void throw_disagreement(comm::Communicator& communicator, Stream& stream, const SharedState& mine,
                                     const std::string& found_by);

}  // namespace mpdist::train
