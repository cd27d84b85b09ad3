// SPDX-License-Identifier: Apache-2.0
// Schedules run here on arrays, all ranks in one process: messages between two ranks match by their order alone.
#include "comm/tree_schedule.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/comm/reference_tree.hpp"

namespace mpdist::comm {
namespace {

using Make = TreeSchedule (*)(int ranks, int rank, std::int64_t count);
constexpr float kUnset = -77;

/// All ranks, each somewhere in its schedule.
class Ranks {
 public:
  Ranks(Make make, int ranks, std::int64_t count) : ranks_(static_cast<std::size_t>(ranks)) {
    for (int r = 0; r < ranks; ++r) {
      Rank& rank = ranks_[static_cast<std::size_t>(r)];
      rank.schedule = make(ranks, r, count);
      rank.scratch.assign(static_cast<std::size_t>(rank.schedule.scratch), kUnset);
      for (std::int64_t i = 0; i < count; ++i) {
        rank.array.push_back(test::shard_value(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(i)));
      }
    }
  }

  /// Until all are at the end; false where messages are missing that somebody waits for.
  bool run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (int r = 0; r < static_cast<int>(ranks_.size()); ++r) moved = advance(r) || moved;
    }
    for (const Rank& rank : ranks_) {
      if (rank.round < rank.schedule.rounds.size()) return false;
    }
    for (const auto& [route, waiting] : messages_) {
      if (!waiting.empty()) return false;
    }
    return true;
  }

  const std::vector<float>& array(int rank) const { return ranks_[static_cast<std::size_t>(rank)].array; }
  std::int64_t sent(int rank) const { return ranks_[static_cast<std::size_t>(rank)].sent; }

 private:
  struct Rank {
    TreeSchedule schedule{};
    std::vector<float> array{}, scratch{};
    std::size_t round = 0;
    bool has_sent = false;
    std::int64_t sent = 0;
    float* at(Place place) { return (place.scratch ? scratch : array).data() + place.offset; }
  };

  /// Enters the next round; then, once all it receives is there and somebody receives what it sends, as a group of NCCL
  /// calls waits, does the rest of the round.
  bool advance(int number) {
    Rank& rank = ranks_[static_cast<std::size_t>(number)];
    if (rank.round == rank.schedule.rounds.size()) return false;
    const Round& round = rank.schedule.rounds[rank.round];
    if (!rank.has_sent) {
      for (const Message& m : round.sends) {
        messages_[{number, m.peer}].emplace_back(rank.at(m.place), rank.at(m.place) + m.count);
        ++unexpected_[{number, m.peer}];
        rank.sent += m.count;
      }
      for (const Message& m : round.receives) --unexpected_[{m.peer, number}];
      rank.has_sent = true;
      return true;
    }
    for (const Message& m : round.receives) {
      if (messages_[{m.peer, number}].empty()) return false;
    }
    for (const Message& m : round.sends) {
      if (unexpected_[{number, m.peer}] > 0) return false;
    }
    for (const Message& m : round.receives) {
      auto& waiting = messages_[{m.peer, number}];
      EXPECT_EQ(static_cast<std::int64_t>(waiting.front().size()), m.count);
      std::copy(waiting.front().begin(), waiting.front().end(), rank.at(m.place));
      waiting.pop_front();
    }
    for (const PlacedSum& sum : round.sums) {
      for (std::int64_t i = 0; i < sum.count; ++i) {
        rank.at(sum.out)[i] = rank.at(sum.left)[i] + rank.at(sum.right)[i];
      }
    }
    ++rank.round;
    rank.has_sent = false;
    return true;
  }

  std::vector<Rank> ranks_;
  std::map<std::pair<int, int>, std::deque<std::vector<float>>> messages_;  ///< by sender and receiver
  std::map<std::pair<int, int>, int> unexpected_;  ///< sent, but the receiver has not entered that round
};

std::vector<float> expected(int ranks, std::int64_t count) {
  std::vector<float> sums, leaves(static_cast<std::size_t>(ranks));
  for (std::int64_t i = 0; i < count; ++i) {
    for (int r = 0; r < ranks; ++r) {
      leaves[static_cast<std::size_t>(r)] =
          test::shard_value(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(i));
    }
    sums.push_back(test::reference_tree(leaves.data(), ranks));
  }
  return sums;
}

class Schedules : public ::testing::TestWithParam<Make> {};
INSTANTIATE_TEST_SUITE_P(, Schedules, ::testing::Values(direct_schedule, halving_schedule),
                         [](const auto& made) { return made.param == &direct_schedule ? "Direct" : "Halving"; });

TEST_P(Schedules, GiveEveryRankTheTreeBitForBit) {
  for (int ranks = 1; ranks <= 33; ++ranks) {
    for (std::int64_t count : {1, 33, 700, 2048}) {
      Ranks all(GetParam(), ranks, count);
      ASSERT_TRUE(all.run()) << ranks << " ranks wait for each other, " << count << " elements";
      const std::vector<float> sums = expected(ranks, count);
      for (int r = 0; r < ranks; ++r) {
        ASSERT_EQ(test::different(all.array(r).data(), sums), 0)
            << "rank " << r << " of " << ranks << ", " << count << " elements";
      }
    }
  }
}

TEST_P(Schedules, NothingToSumIsNothingToSend) {
  Ranks all(GetParam(), 6, 0);
  EXPECT_TRUE(all.run());
  EXPECT_EQ(all.sent(0), 0);
}

TEST_P(Schedules, EachRankSendsTwiceItsPartOfTheArray) {
  for (int ranks : {2, 4, 8, 16, 32}) {
    constexpr std::int64_t count = 1 << 12;
    Ranks all(GetParam(), ranks, count);
    ASSERT_TRUE(all.run());
    for (int r = 0; r < ranks; ++r) EXPECT_EQ(all.sent(r), 2 * count * (ranks - 1) / ranks) << r << " of " << ranks;
  }
}

TEST(HalvingSchedule, HasLogarithmicallyManyRoundsAndHalfTheArrayAsScratch) {
  const TreeSchedule schedule = halving_schedule(64, 5, 1 << 12);
  EXPECT_EQ(schedule.rounds.size(), 12u);
  EXPECT_EQ(schedule.scratch, 1 << 11);
  for (const Round& round : schedule.rounds) EXPECT_EQ(round.sends.size(), 1u);
}

}  // namespace
}  // namespace mpdist::comm
