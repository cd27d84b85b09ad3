// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/races.hpp"

#include <gtest/gtest.h>

namespace software_gpu::ptx {
namespace {

/// One granule of 4 bytes, accessed by threads of blocks 1 and 2, in the order of the calls.
class Races : public ::testing::Test {
 protected:
  Races() { cells.reset(64); }

  void begin(std::uint32_t block, std::uint32_t barrier, std::uint32_t synchronisation = 0) {
    interval = intervals.begin({block, barrier, synchronisation});
    const Stamp first = interval << kIntervalShift;
    if (block != current) block_floor = first;
    if (block != current || barrier != barriers) barrier_floor = first;
    current = block;
    barriers = barrier;
  }
  bool access(int thread, AccessKind kind, int lanes = 1, std::size_t bytes = 4, std::size_t offset = 0,
              bool shared = false) {
    CellAccess a;
    a.offset = offset;
    a.bytes = bytes;
    a.lanes = lanes;
    a.stamp = interval << kIntervalShift | static_cast<Stamp>(thread);
    a.kind = kind;
    a.shared_address = shared;
    a.block_floor = block_floor;
    a.barrier_floor = barrier_floor;
    return note_access(cells, a, intervals).earlier == 0;
  }
  bool read(int thread) { return access(thread, AccessKind::read); }
  bool write(int thread) { return access(thread, AccessKind::write); }
  bool atomic(int thread) { return access(thread, AccessKind::atomic); }

  Cells cells;
  Intervals intervals;
  std::uint32_t interval = 0, current = 0, barriers = 0;
  Stamp block_floor = 0, barrier_floor = 0;
};

TEST_F(Races, OneThreadIsOrdered) {
  begin(1, 0);
  EXPECT_TRUE(write(5) && read(5) && write(5) && atomic(5) && read(5));
}
TEST_F(Races, TwoThreads) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  EXPECT_FALSE(read(6));
}
TEST_F(Races, ManyReadersThenAWriter) {
  begin(1, 0);
  EXPECT_TRUE(read(5) && read(6) && read(70) && read(6));
  EXPECT_FALSE(write(6));
}
TEST_F(Races, ReadersOfOneWarpThenAWriter) {
  begin(1, 0);
  EXPECT_TRUE(read(5) && read(6));
  EXPECT_FALSE(write(5));
}
TEST_F(Races, BarrierOrders) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  begin(1, 1);
  EXPECT_TRUE(read(6) && read(70));
  begin(1, 2);
  EXPECT_TRUE(write(7));
  EXPECT_FALSE(read(8));
}
TEST_F(Races, WarpBarrierOrdersOneWarp) {
  begin(1, 0, 0);
  EXPECT_TRUE(write(5));
  begin(1, 0, 1);
  EXPECT_TRUE(read(6));
  EXPECT_FALSE(write(40));
}
TEST_F(Races, ReadersOfOneWarpThenItsBarrier) {
  begin(1, 0, 0);
  EXPECT_TRUE(read(5) && read(6));
  begin(1, 0, 1);
  EXPECT_TRUE(write(7));
}
TEST_F(Races, BlocksAreNotOrdered) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  begin(2, 0);
  EXPECT_FALSE(read(5));
}
TEST_F(Races, BlocksMayReadTogether) {
  begin(1, 0);
  EXPECT_TRUE(read(5));
  begin(2, 0);
  EXPECT_TRUE(read(5) && read(6));
  EXPECT_FALSE(write(6));
}
TEST_F(Races, AtomicsDoNotRaceWithEachOther) {
  begin(1, 0);
  EXPECT_TRUE(atomic(5) && atomic(6));
  begin(2, 0);
  EXPECT_TRUE(atomic(5));
  EXPECT_FALSE(read(6));
}
TEST_F(Races, ReadRacesWithLaterAtomic) {
  begin(1, 0);
  EXPECT_TRUE(read(5));
  EXPECT_FALSE(atomic(6));
}
TEST_F(Races, LanesSideBySide) {
  begin(1, 0);
  EXPECT_TRUE(access(0, AccessKind::write, 16));
  EXPECT_TRUE(access(0, AccessKind::read, 16));
  EXPECT_FALSE(access(1, AccessKind::read, 8));
}
TEST_F(Races, OneAddressForAllLanes) {
  begin(1, 0);
  EXPECT_TRUE(access(0, AccessKind::read, 32, 4, 0, true));
  EXPECT_TRUE(access(32, AccessKind::read, 32, 4, 0, true));
  EXPECT_FALSE(write(3));
}
TEST_F(Races, SmallerAccessesSplitGranules) {
  begin(1, 0);
  EXPECT_TRUE(access(0, AccessKind::write, 8, 2));
  EXPECT_TRUE(access(0, AccessKind::read, 8, 2));
  EXPECT_EQ(cells.shift, 1);
  EXPECT_TRUE(access(20, AccessKind::write, 8, 1, 16));
  EXPECT_EQ(cells.shift, 0);
  EXPECT_FALSE(access(1, AccessKind::read, 1, 4));  // threads 0 and 1 wrote it
}
TEST_F(Races, FenceAndCounterPublish) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  intervals.fence(1);
  intervals.atomic(1, 0x1000);
  begin(2, 0);
  intervals.atomic(2, 0x1000);
  EXPECT_TRUE(read(9));
}
TEST_F(Races, CounterWithoutFenceDoesNot) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  intervals.atomic(1, 0x1000);
  begin(2, 0);
  intervals.atomic(2, 0x1000);
  EXPECT_FALSE(read(9));
}
TEST_F(Races, AnotherCounterDoesNot) {
  begin(1, 0);
  EXPECT_TRUE(write(5));
  intervals.fence(1);
  intervals.atomic(1, 0x1000);
  begin(2, 0);
  intervals.atomic(2, 0x2000);
  EXPECT_FALSE(read(9));
}

}  // namespace
}  // namespace software_gpu::ptx
