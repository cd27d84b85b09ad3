// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "src/optim/ema.hpp"
#include "tests/optim/small_store.hpp"

namespace mpdist::optim {
namespace {

TEST(Ema, StartsAtTheInitialMasters) {
  SmallStore small(3);
  small.master("fc.weight")[1] = 7;
  Ema ema(small.store, 0.5);
  EXPECT_EQ(ParameterStore::slice(ema.average(), *small.store.find("fc.weight")).span<float>()[1], 7);
  small.master("fc.weight")[1] = 100;
  EXPECT_EQ(ParameterStore::slice(ema.average(), *small.store.find("fc.weight")).span<float>()[1], 7);
}

TEST(Ema, FollowsTheMasters) {
  SmallStore small(3);
  Ema ema(small.store, 0.75);
  const auto average = ParameterStore::slice(ema.average(), *small.store.find("fc.bias")).span<float>();
  small.master("fc.bias")[2] = 5;
  ema.update(small.stream);
  EXPECT_FLOAT_EQ(average[2], 0.75F * 1 + 0.25F * 5);
  ema.update(small.stream);
  EXPECT_FLOAT_EQ(average[2], 0.75F * 2 + 0.25F * 5);
  EXPECT_EQ(average[0], 1);
}

TEST(Ema, RefusesADecayThatIsNone) {
  SmallStore small(1);
  EXPECT_THROW(Ema(small.store, 0), InvalidArgument);
  EXPECT_THROW(Ema(small.store, 1), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::optim
