// SPDX-License-Identifier: Apache-2.0
#include "data/formats/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mpdist::data {
namespace {

std::vector<float> image(const Dataset& dataset, std::int64_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(dataset.image_shape().elements()));
  dataset.read(index, pixels);
  return pixels;
}

SyntheticOptions small() {
  SyntheticOptions options;
  options.size = 200;
  options.test_size = 100;
  options.height = 9;
  options.width = 7;
  options.channels = 3;
  options.classes = 5;
  return options;
}

TEST(Synthetic, HasTheShapeThatWasAskedFor) {
  const Datasets sets = open_synthetic(small(), 1);
  EXPECT_EQ(sets.train->size(), 200);
  EXPECT_EQ(sets.test->size(), 100);
  EXPECT_EQ(sets.train->image_shape(), (Shape{9, 7, 3}));
  EXPECT_EQ(sets.train->classes(), 5);
  for (std::int64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(sets.train->label(i), i % 5);
    for (float value : image(*sets.train, i)) ASSERT_TRUE(value >= 0 && value < 1) << value;
  }
}

TEST(Synthetic, AnImageDependsOnSeedPartAndIndexAlone) {
  const Datasets sets = open_synthetic(small(), 1), again = open_synthetic(small(), 1),
                 other = open_synthetic(small(), 2);
  const std::vector<float> first = image(*sets.train, 3);
  image(*again.train, 150);
  EXPECT_EQ(first, image(*again.train, 3));
  EXPECT_NE(first, image(*sets.train, 8)) << "the same class";
  EXPECT_NE(first, image(*sets.test, 3)) << "the test part is not the training part";
  EXPECT_NE(first, image(*other.train, 3));
  EXPECT_EQ(sets.train->digest(), again.train->digest());
  EXPECT_NE(sets.train->digest(), other.train->digest());
  EXPECT_NE(sets.train->digest(), sets.test->digest());
}

TEST(Synthetic, WithoutNoiseAClassIsOneImageInBothParts) {
  SyntheticOptions options = small();
  options.noise = 0;
  const Datasets sets = open_synthetic(options, 1);
  EXPECT_EQ(image(*sets.train, 1), image(*sets.train, 6));
  EXPECT_EQ(image(*sets.train, 1), image(*sets.test, 11));
  EXPECT_NE(image(*sets.train, 1), image(*sets.train, 2));
  const std::vector<float> pixels = image(*sets.train, 1);
  EXPECT_NE(pixels[0], pixels[1]) << "channels have their own patterns";
}

TEST(Synthetic, CanBeLearned) {
  const Datasets sets = open_synthetic({}, 1);
  const std::size_t pixels = static_cast<std::size_t>(sets.train->image_shape().elements());
  std::vector<std::vector<float>> sums(10, std::vector<float>(pixels));
  for (std::int64_t i = 0; i < 200; ++i) {
    const std::vector<float> sample = image(*sets.train, i);
    for (std::size_t p = 0; p < pixels; ++p) sums[static_cast<std::size_t>(i % 10)][p] += sample[p] / 20;
  }
  std::int64_t correct = 0;
  for (std::int64_t i = 0; i < 100; ++i) {
    const std::vector<float> sample = image(*sets.test, i);
    std::vector<double> distances(10);
    for (std::size_t c = 0; c < 10; ++c) {
      for (std::size_t p = 0; p < pixels; ++p) distances[c] += (sample[p] - sums[c][p]) * (sample[p] - sums[c][p]);
    }
    correct += std::ranges::min_element(distances) - distances.begin() == sets.test->label(i);
  }
  EXPECT_GE(correct, 98) << "of 100 by the nearest mean of its class";
}

}  // namespace
}  // namespace mpdist::data
