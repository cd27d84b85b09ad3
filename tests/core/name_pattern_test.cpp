// SPDX-License-Identifier: Apache-2.0
#include "src/core/name_pattern.hpp"

#include <gtest/gtest.h>

namespace mpdist {
namespace {

TEST(NamePattern, WithoutAStarItIsTheName) {
  EXPECT_TRUE(matches_pattern("conv1.weight", "conv1.weight"));
  EXPECT_FALSE(matches_pattern("conv1", "conv1.weight"));
  EXPECT_FALSE(matches_pattern("conv1.weight", "conv1"));
  EXPECT_FALSE(matches_pattern("", "conv1"));
  EXPECT_FALSE(matches_pattern("conv?.weight", "conv1.weight"));
}

TEST(NamePattern, AStarStandsForAnythingWithDotsAndForNothing) {
  for (const char* pattern :
       {"*", "**", "conv1.*", "*.weight", "*1*", "c*t", "conv1.weight*", "*conv1.weight", "c*.*t"}) {
    EXPECT_TRUE(matches_pattern(pattern, "conv1.weight")) << pattern;
  }
  EXPECT_TRUE(matches_pattern("stage1.*", "stage1.block2.conv1.weight"));
  EXPECT_TRUE(matches_pattern("*", ""));
  for (const char* pattern : {"conv2.*", "*.bias", "*2*", "c*s", "conv1.*.weight", "onv*", "*eigh"}) {
    EXPECT_FALSE(matches_pattern(pattern, "conv1.weight")) << pattern;
  }
}

TEST(NamePattern, StarsGoBackWhereTheFirstTryFails) {
  EXPECT_TRUE(matches_pattern("*ab*ac", "abab.aac"));
  EXPECT_TRUE(matches_pattern("*.norm.*", "a.norm1.norm.beta"));
  EXPECT_FALSE(matches_pattern("*aab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaac"));
}

}  // namespace
}  // namespace mpdist
