// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/software_gpu/core/races.hpp"

namespace software_gpu {
namespace {

/// Operations on a few timelines; each knows what `after` says.
struct Timelines {
  struct Point {
    EpochPtr epoch;
    Clock clock;
  };
  Point next(std::size_t timeline, std::initializer_list<Point> after = {}) {
    Clock clock = last_[timeline];
    for (const Point& p : after) clock.join(p.clock);
    const std::uint64_t tick = clock.at(timeline) + 1;
    clock.set(timeline, tick);
    last_[timeline] = clock;
    return {std::make_shared<Epoch>(Epoch{timeline, tick, "operation"}), clock};
  }

 private:
  Clock last_[4];
};

AccessHistory::Race reads(AccessHistory& h, std::size_t begin, std::size_t end, const Timelines::Point& p) {
  return h.record(begin, end, true, false, p.epoch, p.clock);
}
AccessHistory::Race writes(AccessHistory& h, std::size_t begin, std::size_t end, const Timelines::Point& p) {
  return h.record(begin, end, false, true, p.epoch, p.clock);
}

TEST(AccessHistory, OperationsOfOneTimelineNeverRace) {
  Timelines t;
  AccessHistory h;
  EXPECT_EQ(writes(h, 0, 8, t.next(0)).with, nullptr);
  EXPECT_EQ(reads(h, 0, 8, t.next(0)).with, nullptr);
  EXPECT_EQ(writes(h, 4, 12, t.next(0)).with, nullptr);
}

TEST(AccessHistory, UnorderedAccessesRaceWhenOneWrites) {
  Timelines t;
  AccessHistory h;
  const auto first = t.next(0);
  writes(h, 0, 8, first);
  const auto race = writes(h, 7, 9, t.next(1));
  EXPECT_EQ(race.with, first.epoch);
  EXPECT_TRUE(race.with_writer);
  EXPECT_EQ(race.at, 7u);
  EXPECT_EQ(reads(h, 0, 1, t.next(2)).with, first.epoch);
  EXPECT_EQ(reads(h, 8, 9, t.next(1)).with, nullptr) << "its own bytes";
}

TEST(AccessHistory, ReadersDoNotRaceWithEachOther) {
  Timelines t;
  AccessHistory h;
  const auto a = t.next(0), b = t.next(1);
  EXPECT_EQ(reads(h, 0, 8, a).with, nullptr);
  EXPECT_EQ(reads(h, 0, 8, b).with, nullptr);
  const auto race = writes(h, 0, 8, t.next(2, {a}));
  EXPECT_EQ(race.with, b.epoch) << "ordered after one of two readers only";
  EXPECT_FALSE(race.with_writer);
}

TEST(AccessHistory, AnEventOrdersAlsoThroughAThirdTimeline) {
  Timelines t;
  AccessHistory h;
  const auto writer = t.next(0);
  writes(h, 0, 8, writer);
  const auto middle = t.next(1, {writer});
  EXPECT_EQ(reads(h, 0, 8, t.next(2, {middle})).with, nullptr);
}

TEST(AccessHistory, BytesSideBySideDoNotRace) {
  Timelines t;
  AccessHistory h;
  writes(h, 0, 8, t.next(0));
  EXPECT_EQ(writes(h, 8, 16, t.next(1)).with, nullptr);
  EXPECT_EQ(writes(h, 0, 8, t.next(0)).with, nullptr);
}

TEST(AccessHistory, WhatAnOrderedReaderReadIsForgotten) {
  Timelines t;
  AccessHistory h;
  const auto a = t.next(0);
  reads(h, 0, 8, a);
  const auto b = t.next(1, {a});
  reads(h, 0, 8, b);
  EXPECT_EQ(writes(h, 0, 8, t.next(2, {b})).with, nullptr);
}

TEST(AccessHistory, EqualNeighboursBecomeOneRange) {
  Timelines t;
  AccessHistory h;
  for (std::size_t i = 0; i < 100; ++i) writes(h, i, i + 1, t.next(0));
  EXPECT_EQ(h.ranges(), 100u);
  const auto p = t.next(0);
  writes(h, 0, 100, p);
  EXPECT_EQ(h.ranges(), 1u);
  const auto reader = t.next(0);
  for (std::size_t i = 0; i < 100; i += 2) reads(h, i, i + 2, reader);
  EXPECT_EQ(h.ranges(), 1u);
}

TEST(AccessHistory, KnowsWhoTheHostHasNotWaitedFor) {
  Timelines t;
  AccessHistory h;
  const auto a = t.next(0), b = t.next(1);
  writes(h, 0, 8, a);
  reads(h, 8, 16, b);
  Clock host;
  EXPECT_EQ(h.unordered_with(host), a.epoch);
  host.join(a.clock);
  EXPECT_EQ(h.unordered_with(host), b.epoch);
  host.join(b.clock);
  EXPECT_EQ(h.unordered_with(host), nullptr);
}

}  // namespace
}  // namespace software_gpu
