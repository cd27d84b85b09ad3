// SPDX-License-Identifier: Apache-2.0
#include "data/digest.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/data/fake_dataset.hpp"

namespace mpdist::data {
namespace {

/// A data set of which one thing can be changed.
struct ChangedDataset : FakeDataset {
  using FakeDataset::FakeDataset;
  std::int64_t classes() const override { return class_count; }
  std::int32_t label(std::int64_t index) const override {
    return index == changed_label ? 99 : FakeDataset::label(index);
  }
  void read(std::int64_t index, std::span<float> image) const override {
    FakeDataset::read(index, image);
    if (index == changed_image) image.back() += 1;
  }
  std::int64_t class_count = 7, changed_label = -1, changed_image = -1;
};

TEST(Digest, ChangesWithEverythingThatMakesTheData) {
  std::set<std::uint64_t> seen;
  const auto is_new = [&](const Dataset& dataset, const char* name = "train") {
    return seen.insert(digest_of(dataset, name)).second;
  };
  EXPECT_TRUE(is_new(ChangedDataset(100)));
  EXPECT_FALSE(is_new(ChangedDataset(100))) << "equal data, equal digest";
  EXPECT_TRUE(is_new(ChangedDataset(100), "test"));
  EXPECT_TRUE(is_new(ChangedDataset(101)));
  EXPECT_TRUE(is_new(ChangedDataset(100, {4, 3, 1})));
  ChangedDataset classes(100), label(100), image(100);
  classes.class_count = 8;
  label.changed_label = 99;
  image.changed_image = 99;
  EXPECT_TRUE(is_new(classes));
  EXPECT_TRUE(is_new(label));
  EXPECT_TRUE(is_new(image)) << "all images of a small set are covered";
}

TEST(Digest, OfALargeSetReadsOnlyItsSampleBlocks) {
  const FakeDataset dataset(100000);
  dataset.digest();
  EXPECT_EQ(dataset.reads, kDigestBlocks * kDigestBlockRows);
}

}  // namespace
}  // namespace mpdist::data
