// SPDX-License-Identifier: Apache-2.0
#include "comm/tree_schedule.hpp"

#include <algorithm>
#include <bit>

#include "comm/exchange_plan.hpp"

namespace mpdist::comm {
namespace {

/// Elements [begin, end) of the array.
struct Run {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
  Place place() const { return {.offset = begin}; }
};

Run slice_run(int slice, int slices, std::int64_t count) {
  const auto [begin, end] = slice_range(slice, slices, count);
  return {begin, end};
}

void add_message(std::vector<Message>& messages, int peer, Place place, std::int64_t count) {
  if (count > 0) messages.push_back({peer, place, count});
}

/// The tree over one slice: each inner node takes the place of its left child, the root that of the rank's own leaf.
std::vector<PlacedSum> tree_sums(const ReductionTree& tree, const std::vector<Place>& leaves, int own,
                                 std::int64_t count) {
  std::vector<Place> places;
  std::vector<PlacedSum> sums;
  const int root = tree.root();
  for (int i = 0; i <= root; ++i) {
    const TreeNode& node = tree.nodes()[static_cast<std::size_t>(i)];
    if (node.is_leaf()) {
      places.push_back(leaves[static_cast<std::size_t>(node.begin)]);
      continue;
    }
    const Place left = places[static_cast<std::size_t>(node.left)];
    places.push_back(i == root ? leaves[static_cast<std::size_t>(own)] : left);
    sums.push_back({left, places[static_cast<std::size_t>(node.right)], places.back(), count});
  }
  return sums;
}

/// A run of 2^k ranks that begins at a multiple of its length.
struct Block {
  int begin = 0, size = 0;
};

std::vector<Block> blocks_of(int ranks) {
  std::vector<Block> blocks;
  for (int begin = 0; begin < ranks;) {
    const auto size = static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks - begin)));
    blocks.push_back({begin, size});
    begin += size;
  }
  return blocks;
}

/// The schedule of one rank while it is being made.
class Halving {
 public:
  Halving(int ranks, int rank, std::int64_t count) : blocks_(blocks_of(ranks)), rank_(rank), count_(count) {
    while (rank_ >= blocks_[mine_].begin + blocks_[mine_].size) ++mine_;
  }

  TreeSchedule make() {
    halve();
    gather_from_next();
    send_to_previous();
    receive_from_previous();
    send_to_next();
    double_up();
    return std::move(schedule_);
  }

 private:
  /// Slices [begin, end) of the first block's; slices are numbered so that each halving keeps a run of them.
  struct Slices {
    int begin = 0, end = 0;
    Slices half(bool lower) const {
      const int middle = (begin + end) / 2;
      return lower ? Slices{begin, middle} : Slices{middle, end};
    }
  };
  int local() const { return rank_ - blocks_[mine_].begin; }
  bool has_next() const { return mine_ + 1 < blocks_.size(); }
  Run run(Slices slices) const {
    return {slice_run(slices.begin, blocks_[0].size, count_).begin,
            slice_run(slices.end - 1, blocks_[0].size, count_).end};
  }
  /// What a member of a block holds when it has halved with all partners.
  Slices held_by(const Block& block, int member) const {
    Slices slices{0, blocks_[0].size};
    for (int bit = 1; bit < block.size; bit *= 2) slices = slices.half((member & bit) == 0);
    return slices;
  }
  /// Members of a block that is no smaller than this rank's, whose slices lie in those of this rank.
  std::vector<int> members_within(const Block& block) const {
    const Slices mine = held_by(blocks_[mine_], local());
    std::vector<int> members;
    for (int member = 0; member < block.size; ++member) {
      const Slices theirs = held_by(block, member);
      if (mine.begin <= theirs.begin && theirs.end <= mine.end) members.push_back(member);
    }
    return members;
  }
  /// The member of the next block whose slices contain those of this rank.
  int next_holder() const {
    const Slices mine = held_by(blocks_[mine_], local());
    const Block& next = blocks_[mine_ + 1];
    for (int member = 0;; ++member) {
      const Slices theirs = held_by(next, member);
      if (theirs.begin <= mine.begin && mine.end <= theirs.end) return next.begin + member;
    }
  }
  Round& round() { return schedule_.rounds.emplace_back(); }
  void reserve(std::int64_t elements) { schedule_.scratch = std::max(schedule_.scratch, elements); }

  void halve();
  void gather_from_next();
  void send_to_previous();
  void receive_from_previous();
  void send_to_next();
  void double_up();

  std::vector<Block> blocks_;
  int rank_;
  std::int64_t count_;
  std::size_t mine_ = 0;  ///< place of this rank's block
  TreeSchedule schedule_;
};

/// With the partner at distance 1, 2, 4 ...: keeps the sum over one half of what both hold. The lower rank is the left
/// operand.
void Halving::halve() {
  const Block& block = blocks_[mine_];
  Slices slices{0, blocks_[0].size};
  for (int bit = 1; bit < block.size; bit *= 2) {
    const bool lower = (local() & bit) == 0;
    const int partner = block.begin + (local() ^ bit);
    const Run kept = run(slices.half(lower)), given = run(slices.half(!lower));
    const Place received{.scratch = true};
    Round& now = round();
    add_message(now.sends, partner, given.place(), given.count());
    add_message(now.receives, partner, received, kept.count());
    if (kept.count() > 0) {
      now.sums.push_back(
          {lower ? kept.place() : received, lower ? received : kept.place(), kept.place(), kept.count()});
    }
    reserve(kept.count());
    slices = slices.half(lower);
  }
}

/// The ranks after this block, summed, are the right operand.
void Halving::gather_from_next() {
  if (!has_next()) return;
  const Run held = run(held_by(blocks_[mine_], local()));
  const Place received{.scratch = true};
  Round& now = round();
  add_message(now.receives, next_holder(), received, held.count());
  if (held.count() > 0) now.sums.push_back({held.place(), received, held.place(), held.count()});
  reserve(held.count());
}

void Halving::send_to_previous() {
  if (mine_ == 0) return;
  const Block& previous = blocks_[mine_ - 1];
  Round& now = round();
  for (int member : members_within(previous)) {
    const Run part = run(held_by(previous, member));
    add_message(now.sends, previous.begin + member, part.place(), part.count());
  }
}

void Halving::receive_from_previous() {
  if (mine_ == 0) return;
  const Block& previous = blocks_[mine_ - 1];
  Round& now = round();
  for (int member : members_within(previous)) {
    const Run part = run(held_by(previous, member));
    add_message(now.receives, previous.begin + member, part.place(), part.count());
  }
}

void Halving::send_to_next() {
  if (!has_next()) return;
  const Run held = run(held_by(blocks_[mine_], local()));
  add_message(round().sends, next_holder(), held.place(), held.count());
}

/// halve() backwards: partners exchange the sums that they hold.
void Halving::double_up() {
  const Block& block = blocks_[mine_];
  for (int bit = block.size / 2; bit > 0; bit /= 2) {
    Slices whole{0, blocks_[0].size};
    for (int above = 1; above < bit; above *= 2) whole = whole.half((local() & above) == 0);
    const bool lower = (local() & bit) == 0;
    const Run held = run(whole.half(lower)), wanted = run(whole.half(!lower));
    const int partner = block.begin + (local() ^ bit);
    Round& now = round();
    add_message(now.sends, partner, held.place(), held.count());
    add_message(now.receives, partner, wanted.place(), wanted.count());
  }
}

}  // namespace

TreeSchedule direct_schedule(int ranks, int rank, std::int64_t count) {
  TreeSchedule schedule;
  if (ranks == 1) return schedule;
  const Run own = slice_run(rank, ranks, count);
  const std::int64_t stride = slice_run(0, ranks, count).count();
  std::vector<Place> leaves;
  schedule.rounds.resize(2);
  Round &gather = schedule.rounds[0], &spread = schedule.rounds[1];
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == rank) {
      leaves.push_back(own.place());
      continue;
    }
    const Run theirs = slice_run(peer, ranks, count);
    leaves.push_back({.scratch = true, .offset = (peer - (peer > rank ? 1 : 0)) * stride});
    add_message(gather.sends, peer, theirs.place(), theirs.count());
    add_message(gather.receives, peer, leaves.back(), own.count());
    add_message(spread.sends, peer, own.place(), own.count());
    add_message(spread.receives, peer, theirs.place(), theirs.count());
  }
  if (own.count() > 0) gather.sums = tree_sums(ReductionTree(ranks), leaves, rank, own.count());
  schedule.scratch = (ranks - 1) * stride;
  return schedule;
}

TreeSchedule halving_schedule(int ranks, int rank, std::int64_t count) {
  return Halving(ranks, rank, count).make();
}

}  // namespace mpdist::comm
