// SPDX-License-Identifier: Apache-2.0
#include "data/formats/resample.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

Picture noise(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Picture picture{.height = height, .width = width, .channels = channels, .file_height = height, .file_width = width};
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    picture.pixels.push_back(static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24));
  }
  return picture;
}

/// The definition in double precision, one target pixel at a time.
double reference(const Picture& picture, std::int64_t shorter, std::int64_t size, std::int64_t y, std::int64_t x,
                 std::int64_t channel) {
  const std::int64_t side = std::min(picture.height, picture.width);
  const auto weights = [&](std::int64_t source, std::int64_t target) {
    const std::int64_t resized = source * shorter / side;
    const double reduction = static_cast<double>(source) / static_cast<double>(resized);
    const double centre = (static_cast<double>((resized - size) / 2 + target) + 0.5) * reduction;
    std::vector<double> all;
    double sum = 0;
    for (std::int64_t i = 0; i < source; ++i) {
      all.push_back(std::max(0.0, 1 - std::abs(static_cast<double>(i) + 0.5 - centre) / std::max(1.0, reduction)));
      sum += all.back();
    }
    for (double& weight : all) weight /= sum;
    return all;
  };
  const std::vector<double> down = weights(picture.height, y), across = weights(picture.width, x);
  double value = 0;
  for (std::int64_t i = 0; i < picture.height; ++i) {
    for (std::int64_t j = 0; j < picture.width; ++j) {
      value += down[static_cast<std::size_t>(i)] * across[static_cast<std::size_t>(j)] *
               picture.pixels[static_cast<std::size_t>((i * picture.width + j) * picture.channels + channel)];
    }
  }
  return value / 255;
}

TEST(Resampler, IsAntialiasedBilinearByItsDefinition) {
  const struct {
    std::int64_t height, width, channels, shorter, size;
  } cases[] = {{9, 9, 1, 9, 9},   {9, 9, 1, 4, 4}, {20, 31, 3, 8, 8},   {31, 20, 3, 8, 6},
               {5, 7, 1, 12, 12}, {1, 9, 3, 4, 4}, {64, 48, 1, 33, 32}, {3, 200, 1, 2, 2}};
  for (const auto& c : cases) {
    const Picture picture = noise(c.height, c.width, c.channels);
    Resampler resampler(c.shorter, c.size);
    std::vector<float> out(static_cast<std::size_t>(c.size * c.size * c.channels));
    resampler.apply(picture, out);
    for (std::int64_t y = 0; y < c.size; ++y) {
      for (std::int64_t x = 0; x < c.size; ++x) {
        for (std::int64_t channel = 0; channel < c.channels; ++channel) {
          ASSERT_NEAR(out[static_cast<std::size_t>((y * c.size + x) * c.channels + channel)],
                      reference(picture, c.shorter, c.size, y, x, channel), 2e-6)
              << c.height << "x" << c.width << " to " << c.size << " at " << y << ", " << x;
        }
      }
    }
  }
}

TEST(Resampler, KeepsBytesWhereNothingIsResized) {
  const Picture picture = noise(10, 14, 3);
  Resampler resampler(10, 6);
  std::vector<float> out(6 * 6 * 3);
  resampler.apply(picture, out);
  for (std::int64_t y = 0; y < 6; ++y) {
    for (std::int64_t i = 0; i < 18; ++i) {
      const std::uint8_t byte = picture.pixels[static_cast<std::size_t>(((y + 2) * 14 + 4) * 3 + i)];
      ASSERT_EQ(out[static_cast<std::size_t>(y * 18 + i)], static_cast<float>(byte) / 255.0f);
    }
  }
}

TEST(Resampler, WorksOnPicturesOfChangingSize) {
  Resampler resampler(8, 8);
  std::vector<float> first(64), again(64), other(64);
  resampler.apply(noise(20, 30, 1), first);
  resampler.apply(noise(30, 20, 1), other);
  resampler.apply(noise(20, 30, 1), again);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Resampler, AUniformPictureStaysUniform) {
  Picture picture = noise(37, 53, 1);
  std::ranges::fill(picture.pixels, std::uint8_t{200});
  Resampler resampler(16, 16);
  std::vector<float> out(256);
  resampler.apply(picture, out);
  for (float value : out) EXPECT_NEAR(value, 200 / 255.0, 1e-6);
}

TEST(Resampler, RefusesToCutOutMoreThanThereIs) {
  EXPECT_THROW(Resampler(8, 9), InvalidArgument);
  EXPECT_THROW(Resampler(8, 0), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::data
