// SPDX-License-Identifier: Apache-2.0
#include "data/augmentation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <ostream>
#include <set>
#include <tuple>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist {

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.to_string();
}

}  // namespace mpdist

namespace mpdist::data {
namespace {

/// Every value differs and none is zero after normalisation.
std::vector<float> distinct_image(const Shape& shape) {
  std::vector<float> image(static_cast<std::size_t>(shape.elements()));
  std::iota(image.begin(), image.end(), 10.0f);
  return image;
}

std::vector<float> augmented(const Augmentation& augmentation, std::int64_t epoch, std::int64_t index, bool training) {
  const std::vector<float> raw = distinct_image(augmentation.image());
  std::vector<float> out(raw.size(), -99.0f);
  augmentation.apply(raw, out, epoch, index, training);
  return out;
}

using Window = std::tuple<std::int64_t, std::int64_t, bool>;  // down, right, flipped

/// The definition, pixel by pixel: the window at (down, right) of the normalised image in zeros, then its mirror image.
std::vector<float> by_definition(const Shape& shape, float mean, float std, const Window& window) {
  const std::vector<float> raw = distinct_image(shape);
  std::vector<float> out(raw.size());
  const auto [down, right, flipped] = window;
  for (std::int64_t y = 0; y < shape[0]; ++y) {
    for (std::int64_t x = 0; x < shape[1]; ++x) {
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        const std::int64_t from_y = y + down, from_x = (flipped ? shape[1] - 1 - x : x) + right;
        const bool inside = from_y >= 0 && from_y < shape[0] && from_x >= 0 && from_x < shape[1];
        const auto from = static_cast<std::size_t>((from_y * shape[1] + from_x) * shape[2] + c);
        out[static_cast<std::size_t>((y * shape[1] + x) * shape[2] + c)] = inside ? (raw[from] - mean) / std : 0.0f;
      }
    }
  }
  return out;
}

std::optional<Window> window_of(const std::vector<float>& image, const Shape& shape, float mean, float std,
                                std::int64_t padding) {
  for (std::int64_t down = -padding; down <= padding; ++down) {
    for (std::int64_t right = -padding; right <= padding; ++right) {
      for (bool flipped : {false, true}) {
        if (image == by_definition(shape, mean, std, {down, right, flipped})) return Window{down, right, flipped};
      }
    }
  }
  return std::nullopt;
}

TEST(Augmentation, NormalisesEachChannelByItsOwn) {
  const Augmentation augmentation({.mean = {1, 2}, .std = {2, 4}, .augment = {"crop", "flip"}}, {3, 3, 2}, 1);
  const std::vector<float> out = augmented(augmentation, 0, 0, false);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float raw = 10.0f + static_cast<float>(i);
    EXPECT_EQ(out[i], i % 2 ? (raw - 2) / 4 : (raw - 1) / 2) << i;
  }
}

class EveryWindow : public testing::TestWithParam<Shape> {};

TEST_P(EveryWindow, IsCutAsDefinedAndAllOfThemAppear) {
  constexpr std::int64_t kPadding = 2;
  const Augmentation augmentation({.mean = {0.5}, .std = {2}, .augment = {"crop", "flip"}, .crop_padding = kPadding},
                                  GetParam(), 1);
  std::map<Window, int> counts;
  constexpr int kDraws = 5000;
  for (std::int64_t index = 0; index < kDraws; ++index) {
    const auto window = window_of(augmented(augmentation, 3, index, true), GetParam(), 0.5f, 2.0f, kPadding);
    ASSERT_TRUE(window) << "image " << index << " is no window of the padded image";
    ++counts[*window];
  }
  EXPECT_EQ(counts.size(), 5u * 5 * 2) << "offsets -2..2 each way, both orientations";
  for (const auto& [window, count] : counts) {
    EXPECT_NEAR(count, kDraws / 50, 5 * std::sqrt(kDraws / 50)) << "all windows are equally likely";
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EveryWindow, testing::Values(Shape{5, 7, 1}, Shape{7, 5, 3}, Shape{3, 3, 2}),
                         [](const auto& parameter) {
                           const Shape& s = parameter.param;
                           return fmt::format("{}x{}x{}", s[0], s[1], s[2]);
                         });

TEST(Augmentation, AFlipMirrorsColumnsOnly) {
  const Augmentation augmentation({.augment = {"flip"}}, {2, 3, 2}, 1);
  const std::vector<float> mirrored = {14, 15, 12, 13, 10, 11, 20, 21, 18, 19, 16, 17};
  std::set<std::vector<float>> seen;
  for (std::int64_t index = 0; index < 64; ++index) seen.insert(augmented(augmentation, 0, index, true));
  EXPECT_EQ(seen, (std::set<std::vector<float>>{distinct_image({2, 3, 2}), mirrored}));
}

TEST(Augmentation, CropAndFlipAreDrawnApart) {
  const Shape shape{5, 5, 1};
  const Augmentation crop({.augment = {"crop"}}, shape, 1), both({.augment = {"crop", "flip"}}, shape, 1);
  for (std::int64_t index = 0; index < 100; ++index) {
    const auto [down, right, flipped] = *window_of(augmented(both, 0, index, true), shape, 0, 1, 2);
    EXPECT_EQ(augmented(crop, 0, index, true), by_definition(shape, 0, 1, {down, right, false}))
        << "the crop comes first and does not depend on the flip";
  }
}

/// Whether two keys give other images somewhere among the first 32 indices.
bool differ(const Augmentation& a, std::int64_t epoch_a, const Augmentation& b, std::int64_t epoch_b) {
  for (std::int64_t index = 0; index < 32; ++index) {
    if (augmented(a, epoch_a, index, true) != augmented(b, epoch_b, index, true)) return true;
  }
  return false;
}

TEST(Augmentation, DrawsAreKeyedBySeedEpochAndIndexAlone) {
  for (const char* word : {"crop", "flip"}) {
    const AugmentationOptions options{.augment = {word}};
    const Augmentation augmentation(options, {6, 6, 1}, 1), same(options, {6, 6, 1}, 1), seeded(options, {6, 6, 1}, 2);
    EXPECT_FALSE(differ(augmentation, 0, same, 0)) << word;
    EXPECT_TRUE(differ(augmentation, 0, same, 1)) << word << ": the epoch is missing in the key";
    EXPECT_TRUE(differ(augmentation, 0, seeded, 0)) << word << ": the seed is missing in the key";
    std::set<std::vector<float>> images;
    for (std::int64_t index = 0; index < 32; ++index) images.insert(augmented(augmentation, 0, index, true));
    EXPECT_GT(images.size(), 1u) << word << ": the index is missing in the key";
  }
}

TEST(Augmentation, LeavesEvaluationAlone) {
  const Augmentation augmentation({.augment = {"crop", "flip"}}, {6, 6, 1}, 1);
  for (std::int64_t index = 0; index < 32; ++index) {
    EXPECT_EQ(augmented(augmentation, 0, index, false), distinct_image({6, 6, 1}));
  }
}

TEST(Augmentation, RefusesOptionsThatDoNotFitTheImage) {
  const struct {
    AugmentationOptions options;
    const char* message;
  } cases[] = {
      {{.mean = {1, 2}}, "data.mean: expected 1 value or 3 (one a channel), found 2"},
      {{.std = {1, 2, 3, 4}}, "data.std: expected 1 value or 3 (one a channel), found 4"},
      {{.mean = {}}, "data.mean: expected 1 value or 3 (one a channel), found 0"},
      {{.std = {0.5, 0, 1}}, "data.std: expected values above 0, found 0"},
      {{.augment = {"rotate"}}, "data.augment: expected \"crop\" or \"flip\", found \"rotate\""},
      {{.augment = {"crop"}, .crop_padding = -1},
       "data.crop_padding: expected 0 to 3 (less than the image's side), found -1"},
      {{.augment = {"crop"}, .crop_padding = 4},
       "data.crop_padding: expected 0 to 3 (less than the image's side), found 4"},
  };
  for (const auto& bad : cases) {
    try {
      Augmentation(bad.options, {4, 6, 3}, 1);
      ADD_FAILURE() << "accepted: " << bad.message;
    } catch (const UsageError& error) {
      EXPECT_STREQ(error.what(), bad.message);
    }
  }
}

}  // namespace
}  // namespace mpdist::data
