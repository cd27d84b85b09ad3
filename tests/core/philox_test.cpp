// SPDX-License-Identifier: Apache-2.0
#include "src/core/philox.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mpdist {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The lines "philox4x32 10" of kat_vectors in Random123 (D. E. Shaw Research), the authors' own library.
TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(HashName, IsFnv1a) {
  EXPECT_EQ(hash_name(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hash_name("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hash_name("foobar"), 0x85944171f73967e8u);
}

TEST(RandomKey, EveryPartChangesTheWords) {
  const RandomKey key{.seed = 1, .operation = hash_name("dropout"), .time = 7};
  std::set<Words> seen = {key.words(3, 5)};
  const auto is_new = [&](const RandomKey& other, std::uint64_t item, std::uint64_t group) {
    return seen.insert(other.words(item, group)).second;
  };
  EXPECT_TRUE(is_new({.seed = 2, .operation = key.operation, .time = 7}, 3, 5));
  EXPECT_TRUE(is_new({.seed = 1ull << 32 | 1, .operation = key.operation, .time = 7}, 3, 5))
      << "upper half of the seed";
  EXPECT_TRUE(is_new({.seed = 1, .operation = hash_name("crop"), .time = 7}, 3, 5));
  EXPECT_TRUE(is_new({.seed = 1, .operation = key.operation, .time = 8}, 3, 5));
  EXPECT_TRUE(is_new(key, 4, 5));
  EXPECT_TRUE(is_new(key, 3 | 1ull << 40, 5)) << "item beyond 32 bits";
  EXPECT_TRUE(is_new(key, 3, 6));
  EXPECT_TRUE(is_new(key, 3, 5 | 1ull << 32)) << "group beyond 32 bits";
}

TEST(Uniform, CoversTheHalfOpenUnitInterval) {
  EXPECT_EQ(uniform(0), 0.0f);
  EXPECT_EQ(uniform(0x80000000u), 0.5f);
  EXPECT_LT(uniform(0xffffffffu), 1.0f);
  EXPECT_EQ(uniform(0xffffffffu), 1.0f - 0x1p-24f);
}

}  // namespace
}  // namespace mpdist
