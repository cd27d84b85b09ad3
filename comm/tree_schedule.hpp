// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

namespace mpdist::comm {

/// A run of elements of a rank's array, or of its scratch memory: where it begins.
struct Place {
  bool scratch = false;
  std::int64_t offset = 0;  ///< elements
};

/// To or from another rank; never empty.
struct Message {
  int peer = 0;
  Place place;
  std::int64_t count = 0;
};

/// out = left + right over `count` elements; out may be one of them.
struct PlacedSum {
  Place left, right, out;
  std::int64_t count = 0;
};

/// Messages that go at once, and then sums in order.
struct Round {
  std::vector<Message> sends, receives;
  std::vector<PlacedSum> sums;
};

/// What one rank sends, receives and adds in an all-reduce on the reduction tree where every rank has its own memory.
/// Rank values are the leaves in rank order; afterwards every rank's array holds the sum. Between two ranks messages
/// keep their order, so nothing else needs to match. Each rank sends 2 (ranks-1)/ranks of the array where ranks are a
/// power of two, or direct.
struct TreeSchedule {
  std::vector<Round> rounds;
  std::int64_t scratch = 0;  ///< elements needed
};

/// Two rounds: the owner of each of `ranks` slices receives it from all others, finishes the tree and sends the sum
/// around. Holds ranks-1 slices in scratch memory.
TreeSchedule direct_schedule(int ranks, int rank, std::int64_t count);

/// Recursive halving and doubling (Thakur, Rabenseifner & Gropp 2005, section 4.4) in aligned blocks, the powers of two
/// that make up `ranks`, largest first: a logarithmic number of messages. The halves that partners exchange are the
/// nodes of the tree. What a block holds goes to the block before it, finest slices last; sums go back the same way.
TreeSchedule halving_schedule(int ranks, int rank, std::int64_t count);

}  // namespace mpdist::comm
