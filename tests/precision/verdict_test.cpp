// SPDX-License-Identifier: Apache-2.0
#include "src/precision/verdict.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

using Lanes = std::array<std::int64_t, Verdict::kLanes>;
using Differences = std::vector<Verdict::Equal>;

/// What Communicator::merge_lanes does for two ranks.
Lanes merge(const Lanes& a, const Lanes& b) {
  Lanes merged;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    merged[i] = i < Verdict::kMinimumLanes ? std::min(a[i], b[i]) : a[i] + b[i];
  }
  return merged;
}

/// Merges in the order given, left to right or as a balanced tree.
Lanes merge_all(std::vector<Lanes> parts, bool as_tree) {
  while (parts.size() > 1) {
    const std::size_t left = as_tree ? parts.size() / 2 - 1 : 0;
    parts[left] = merge(parts[left], parts[left + 1]);
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(left) + 1);
  }
  return parts.front();
}

Verdict decode(const Lanes& lanes, Differences& different) {
  return Verdict::from_lanes(lanes, different);
}

Verdict random_verdict(std::mt19937_64& random) {
  Verdict verdict;
  verdict.forward_nonfinite = static_cast<std::int64_t>(random() % 3);
  verdict.backward_nonfinite = static_cast<std::int64_t>(random() % 100);
  verdict.loss_terms = static_cast<std::int64_t>(random() % 1000);
  verdict.stop_requests = static_cast<std::int64_t>(random() % 2);
  verdict.save_requests = static_cast<std::int64_t>(random() % 10);
  if (random() % 2) {
    verdict.first_bad = BadTensor{static_cast<std::int64_t>(random() % 5), static_cast<std::int64_t>(random() % 8),
                                  static_cast<std::int64_t>(random() % 4)};
  }
  for (auto& value : verdict.equal) value = random() % 3 ? 0x8000000000000000u : random();
  return verdict;
}

void expect_same(const Verdict& a, const Verdict& b) {
  EXPECT_EQ(a.forward_nonfinite, b.forward_nonfinite);
  EXPECT_EQ(a.backward_nonfinite, b.backward_nonfinite);
  EXPECT_EQ(a.loss_terms, b.loss_terms);
  EXPECT_EQ(a.stop_requests, b.stop_requests);
  EXPECT_EQ(a.save_requests, b.save_requests);
  EXPECT_EQ(a.first_bad, b.first_bad);
  EXPECT_EQ(a.equal, b.equal);
}

TEST(Verdict, OneRankReadsBackWhatItWrote) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const Verdict verdict = random_verdict(random);
    Differences different{Verdict::step};  // must be cleared
    expect_same(decode(verdict.to_lanes(), different), verdict);
    EXPECT_TRUE(different.empty());
  }
}

TEST(Verdict, AnyOrderOfMergingGivesTheSame) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<Lanes> parts;
    for (int rank = 0; rank < 8; ++rank) parts.push_back(random_verdict(random).to_lanes());
    Differences expected_different;
    const Verdict expected = decode(merge_all(parts, false), expected_different);
    for (int order = 0; order < 10; ++order) {
      std::shuffle(parts.begin(), parts.end(), random);
      Differences different;
      expect_same(decode(merge_all(parts, order % 2 == 0), different), expected);
      EXPECT_EQ(different, expected_different);
    }
  }
}

TEST(Verdict, CountsAreSummedOverRanks) {
  Verdict a, b;
  std::tie(a.forward_nonfinite, a.backward_nonfinite, a.loss_terms, a.stop_requests, a.save_requests) =
      std::tuple(1, 2, 3, 4, 5);
  std::tie(b.forward_nonfinite, b.backward_nonfinite, b.loss_terms, b.stop_requests, b.save_requests) =
      std::tuple(10, 20, 30, 40, 50);
  Differences different;
  const Verdict merged = decode(merge(a.to_lanes(), b.to_lanes()), different);
  EXPECT_EQ(merged.forward_nonfinite, 11);
  EXPECT_EQ(merged.backward_nonfinite, 22);
  EXPECT_EQ(merged.loss_terms, 33);
  EXPECT_EQ(merged.stop_requests, 44);
  EXPECT_EQ(merged.save_requests, 55);
}

TEST(Verdict, FirstBadIsTheMinimumOfParameterThenShardThenRank) {
  const std::vector<std::pair<BadTensor, BadTensor>> smaller_first{
      {{1, 7, 3}, {2, 0, 0}},  // gradient order goes first
      {{2, 1, 3}, {2, 4, 0}},  // then the shard
      {{2, 4, 0}, {2, 4, 1}},  // then the rank
      {{0, 0, 0}, {0, 0, 1}}, {{9999998, 500000, 1000000}, {9999999, 0, 0}},
  };
  for (const auto& [small, large] : smaller_first) {
    Verdict a, b, none;
    a.first_bad = small;
    b.first_bad = large;
    Differences different;
    EXPECT_EQ(decode(merge(merge(b.to_lanes(), none.to_lanes()), a.to_lanes()), different).first_bad, small);
    EXPECT_EQ(decode(merge(none.to_lanes(), b.to_lanes()), different).first_bad, large);
  }
}

TEST(Verdict, ATieOfFirstBadKeepsOneRecord) {
  Verdict a;
  a.first_bad = BadTensor{3, 2, 1};
  Differences different;
  EXPECT_EQ(decode(merge(a.to_lanes(), a.to_lanes()), different).first_bad, (BadTensor{3, 2, 1}));
}

TEST(Verdict, AddBadKeepsTheFirst) {
  Verdict verdict;
  EXPECT_FALSE(verdict.first_bad);
  verdict.add_bad({4, 1, 0});
  verdict.add_bad({2, 6, 0});
  verdict.add_bad({2, 7, 0});
  verdict.add_bad({3, 0, 0});
  EXPECT_EQ(verdict.first_bad, (BadTensor{2, 6, 0}));
}

TEST(Verdict, RefusesARecordThatDoesNotFit) {
  for (const BadTensor& bad :
       {BadTensor{1 << 24, 0, 0}, BadTensor{0, 1 << 19, 0}, BadTensor{0, 0, 1 << 20}, BadTensor{-1, 0, 0}}) {
    Verdict verdict;
    verdict.first_bad = bad;
    EXPECT_THROW(verdict.to_lanes(), InvalidArgument);
  }
}

TEST(Verdict, EveryEntryThatDiffersIsNamed) {
  for (int entry = 0; entry < Verdict::kEqualCount; ++entry) {
    for (const auto& [common, other] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
             {0, 1}, {7, 8}, {0, ~0ull}, {0x7fffffffffffffffull, 0x8000000000000000ull}, {5, 5ull | 1ull << 63}}) {
      std::vector<Lanes> parts;
      for (int rank = 0; rank < 4; ++rank) {
        Verdict verdict;
        verdict.equal.fill(common);
        if (rank == 2) verdict.equal[static_cast<std::size_t>(entry)] = other;
        parts.push_back(verdict.to_lanes());
      }
      Differences different;
      const Verdict merged = decode(merge_all(parts, true), different);
      EXPECT_EQ(different, Differences{static_cast<Verdict::Equal>(entry)});
      const std::size_t neighbour = static_cast<std::size_t>((entry + 1) % Verdict::kEqualCount);
      EXPECT_EQ(merged.equal[neighbour], common);
    }
  }
}

TEST(Verdict, EntriesHaveDifferentNames) {
  std::set<std::string_view> names;
  for (int entry = 0; entry < Verdict::kEqualCount; ++entry)
    names.insert(Verdict::name_of(static_cast<Verdict::Equal>(entry)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Verdict::kEqualCount));
  EXPECT_FALSE(names.contains(""));
}

TEST(Verdict, EventNamesWhatHappened) {
  Verdict verdict;
  EXPECT_EQ(verdict.event(), StepEvent::clean);
  verdict.equal[Verdict::sum_nonfinite] = 1;
  EXPECT_EQ(verdict.event(), StepEvent::gradient_overflow);
  verdict.equal[Verdict::sum_nonfinite] = 0;
  verdict.backward_nonfinite = 1;
  EXPECT_EQ(verdict.event(), StepEvent::gradient_overflow);
  verdict.forward_nonfinite = 1;
  EXPECT_EQ(verdict.event(), StepEvent::forward_nonfinite);
}

}  // namespace
}  // namespace mpdist::precision
