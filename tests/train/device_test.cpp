// SPDX-License-Identifier: Apache-2.0
#include "src/train/device.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

DeviceOffer offer(const char* host, int devices, const char* bus_id) {
  return {.host = host, .devices = devices, .bus_id = bus_id, .reason = {}};
}

DeviceOffer none(const char* host, const char* reason) {
  return {.host = host, .devices = 0, .bus_id = {}, .reason = reason};
}

TEST(DeviceChoice, AGpuForEachRank) {
  EXPECT_EQ(obstacle({offer("a", 2, "01"), offer("a", 2, "02"), offer("b", 1, "01")}), "");
  EXPECT_EQ(obstacle({offer("a", 1, "01"), offer("a", 1, "02")}), "") << "each rank sees its own alone";
}

TEST(DeviceChoice, ARankWithoutOneIsNamedWithItsReason) {
  EXPECT_EQ(obstacle({none("a", "no driver"), none("a", "no driver")}), "no driver") << "alike everywhere";
  EXPECT_EQ(obstacle({offer("a", 1, "01"), none("b", "no device")}), "rank 1 (b): no device");
  EXPECT_EQ(obstacle({none("a", "no driver"), none("b", "no device")}), "rank 0 (a): no driver");
}

TEST(DeviceChoice, TooFewForTheRanksOfAHost) {
  EXPECT_EQ(obstacle({offer("a", 2, "01"), offer("a", 2, "02"), offer("a", 2, "01")}),
            "a has 2 visible GPUs for 3 ranks: too few, each rank needs its own");
  EXPECT_EQ(obstacle({offer("a", 1, "01"), offer("b", 1, "01"), offer("b", 1, "01")}),
            "b has 1 visible GPU for 2 ranks: too few, each rank needs its own");
}

TEST(DeviceChoice, TwoRanksOnOneAreNamed) {
  EXPECT_EQ(obstacle({offer("a", 2, "01"), offer("a", 2, "01")}),
            "ranks 0 and 1 are both on GPU 01 of a: each needs its own");
}

TEST(DeviceChoice, TheCpuIsTakenWhereItIsAskedFor) {
  const std::unique_ptr<comm::Communicator> self = comm::make_self();
  const ComputeDevice device("cpu", *self);
  EXPECT_FALSE(device.is_gpu());
  EXPECT_EQ(&device.pool(), &Pool::host());
  EXPECT_TRUE(device.facts().empty());
}

}  // namespace
}  // namespace mpdist::train
