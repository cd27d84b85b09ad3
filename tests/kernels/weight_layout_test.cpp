// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/weight_layout.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

namespace mpdist::kernels::cpu {
namespace {

using Order = WeightLayout::Order;

/// 32 x 48 weights of 3 x 2 places, blocks of 16 x 16: `inner` gives an element's place in its block of 256.
WeightLayout blocked(const std::function<std::int64_t(std::int64_t, std::int64_t)>& inner) {
  WeightLayout layout;
  layout.out = 32, layout.in = 48, layout.height = 3, layout.width = 2;
  layout.width_stride = 256 * 3, layout.height_stride = 2 * layout.width_stride;
  for (std::int64_t o = 0; o < 32; ++o)
    layout.out_offset.push_back(o / 16 * 3 * layout.height_stride + inner(o % 16, 0));
  for (std::int64_t i = 0; i < 48; ++i) layout.in_offset.push_back(i / 16 * 256 + inner(0, i % 16));
  layout.classify();
  return layout;
}

constexpr std::int64_t kElements = 32 * 48 * 6;

/// Calls visit(plain index, packed index) for every element.
void for_each_element(const WeightLayout& layout, const std::function<void(std::size_t, std::size_t)>& visit) {
  std::size_t plain = 0;
  for (std::int64_t o = 0; o < layout.out; ++o) {
    for (std::int64_t h = 0; h < layout.height; ++h) {
      for (std::int64_t w = 0; w < layout.width; ++w) {
        for (std::int64_t i = 0; i < layout.in; ++i, ++plain) {
          visit(plain, static_cast<std::size_t>(layout.out_offset[static_cast<std::size_t>(o)] +
                                                layout.in_offset[static_cast<std::size_t>(i)] +
                                                h * layout.height_stride + w * layout.width_stride));
        }
      }
    }
  }
}

TEST(WeightLayout, PacksAndUnpacksFp32) {
  const WeightLayout layouts[] = {blocked([](auto o, auto i) { return 16 * i + o; }),
                                  blocked([](auto o, auto i) { return 16 * o + i; })};
  EXPECT_EQ(layouts[0].order, Order::out_inner);
  EXPECT_EQ(layouts[1].order, Order::in_inner);
  std::vector<float> plain(kElements), packed(kElements), again(kElements);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<float>(i);
  for (const WeightLayout& layout : layouts) {
    layout.pack(plain.data(), packed.data());
    std::set<std::size_t> places;
    for_each_element(layout, [&](std::size_t from, std::size_t to) {
      ASSERT_EQ(packed[to], plain[from]);
      places.insert(to);
    });
    EXPECT_EQ(places.size(), plain.size());
    layout.unpack(packed.data(), again.data());
    EXPECT_EQ(again, plain);
  }
}

TEST(WeightLayout, WidensOnTheWay) {
  const WeightLayout layout = blocked([](auto o, auto i) { return 16 * i + o; });
  std::vector<half> plain(kElements);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = from_float<half>(static_cast<float>(i % 2048));
  std::vector<float> packed(kElements);
  layout.pack(plain.data(), packed.data());
  for_each_element(layout,
                   [&](std::size_t from, std::size_t to) { ASSERT_EQ(packed[to], static_cast<float>(from % 2048)); });
}

TEST(WeightLayout, PacksBf16InPairs) {
  const WeightLayout layouts[] = {blocked([](auto o, auto i) { return i / 2 * 32 + 2 * o + i % 2; }),
                                  blocked([](auto o, auto i) { return o / 2 * 32 + 2 * i + o % 2; })};
  EXPECT_EQ(layouts[0].order, Order::in_pairs);
  EXPECT_EQ(layouts[1].order, Order::out_pairs);
  std::vector<bfloat16> plain(kElements), packed(kElements);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i].bits = static_cast<std::uint16_t>(i);
  for (const WeightLayout& layout : layouts) {
    layout.pack(plain.data(), packed.data());
    for_each_element(layout, [&](std::size_t from, std::size_t to) { ASSERT_EQ(packed[to].bits, plain[from].bits); });
  }
}

TEST(WeightLayout, WhatItDoesNotKnowIsUnknown) {
  EXPECT_EQ(blocked([](auto o, auto i) { return o / 4 * 64 + i * 4 + o % 4; }).order, Order::unknown);
  WeightLayout odd = blocked([](auto o, auto i) { return 16 * i + o; });
  odd.out_offset.pop_back();
  odd.out = 31;
  odd.classify();
  EXPECT_EQ(odd.order, Order::unknown);
}

}  // namespace
}  // namespace mpdist::kernels::cpu
