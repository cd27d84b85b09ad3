// SPDX-License-Identifier: Apache-2.0
#include "data/augmentation.hpp"

#include <algorithm>
#include <cmath>

#include "src/core/error.hpp"
#include "src/core/philox.hpp"

namespace mpdist::data {
namespace {

constexpr std::uint64_t kCrop = hash_name("data.crop");
constexpr std::uint64_t kFlip = hash_name("data.flip");

/// `values` (one for all channels, or one each) repeated over a row of pixels.
std::vector<float> spread(const std::vector<double>& values, const char* name, std::int64_t channels,
                          std::int64_t width) {
  if (values.size() != 1 && static_cast<std::int64_t>(values.size()) != channels) {
    throw UsageError(
        fmt::format("data.{}: expected 1 value or {} (one a channel), found {}", name, channels, values.size()));
  }
  std::vector<float> row(static_cast<std::size_t>(width * channels));
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<float>(values[values.size() == 1 ? 0 : i % static_cast<std::size_t>(channels)]);
  }
  return row;
}

/// Uniform in [0, count): the bias of the multiplication is below count/2^32.
std::int64_t below(std::int64_t count, std::uint32_t word) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(count) * word) >> 32);
}

}  // namespace

Augmentation::Augmentation(const AugmentationOptions& options, Shape image, std::uint64_t seed)
    : image_(image), seed_(seed), crop_padding_(options.crop_padding) {
  require(image.rank() == 3 && image.elements() > 0, "augmentation of images {}: expected [height, width, channels]",
          image.to_string());
  for (const std::string& word : options.augment) {
    if (word != "crop" && word != "flip") {
      throw UsageError(fmt::format("data.augment: expected \"crop\" or \"flip\", found \"{}\"", word));
    }
    (word == "crop" ? crop_ : flip_) = true;
  }
  if (crop_padding_ < 0 || (crop_ && crop_padding_ >= std::min(image[0], image[1]))) {
    throw UsageError(fmt::format("data.crop_padding: expected 0 to {} (less than the image's side), found {}",
                                 std::min(image[0], image[1]) - 1, crop_padding_));
  }
  for (double deviation : options.std) {
    if (!(deviation > 0)) throw UsageError(fmt::format("data.std: expected values above 0, found {}", deviation));
  }
  mean_ = spread(options.mean, "mean", image[2], image[1]);
  std_ = spread(options.std, "std", image[2], image[1]);
}

Augmentation::Draw Augmentation::draw(std::int64_t epoch, std::int64_t index) const {
  RandomKey key{.seed = seed_, .operation = kCrop, .time = static_cast<std::uint32_t>(epoch)};
  const auto item = static_cast<std::uint64_t>(index);
  Draw drawn;
  if (crop_) {
    const auto words = key.words(item, 0);
    drawn.down = below(2 * crop_padding_ + 1, words[0]) - crop_padding_;
    drawn.right = below(2 * crop_padding_ + 1, words[1]) - crop_padding_;
  }
  key.operation = kFlip;
  if (flip_) drawn.flip = (key.words(item, 0)[0] >> 31) != 0;
  return drawn;
}

/// One row of the window: pixel x shows raw pixel x + right, or zero outside; mirrored when flipped.
void Augmentation::write_row(const float* raw, float* out, const Draw& draw) const {
  const std::int64_t width = image_[1], channels = image_[2];
  const std::int64_t begin = std::max<std::int64_t>(0, -draw.right), end = std::min(width, width - draw.right);
  const std::int64_t first = draw.flip ? width - end : begin;  // where the shown pixels begin in `out`
  const std::int64_t count = (end - begin) * channels;
  const float* in = raw + (begin + draw.right) * channels;
  float* shown = out + first * channels;
  std::fill(out, shown, 0.0f);
  std::fill(shown + count, out + width * channels, 0.0f);
  if (!draw.flip) {
    for (std::int64_t i = 0; i < count; ++i) shown[i] = (in[i] - mean_[i]) / std_[i];
  } else if (channels == 1) {
    for (std::int64_t i = 0; i < count; ++i) shown[i] = (in[count - 1 - i] - mean_[i]) / std_[i];
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t channel = i % channels;
      shown[i] = (in[count - channels - i + 2 * channel] - mean_[channel]) / std_[channel];
    }
  }
}

void Augmentation::apply(std::span<const float> raw, std::span<float> out, std::int64_t epoch, std::int64_t index,
                         bool training) const {
  const auto elements = static_cast<std::size_t>(image_.elements());
  require(raw.size() == elements && out.size() == elements, "augmentation: expected {} values, found {} in and {} out",
          elements, raw.size(), out.size());
  const Draw drawn = training ? draw(epoch, index) : Draw{};
  const std::int64_t height = image_[0], row = image_[1] * image_[2];
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t source = y + drawn.down;
    if (source < 0 || source >= height) {
      std::fill_n(out.data() + y * row, row, 0.0f);
    } else {
      write_row(raw.data() + source * row, out.data() + y * row, drawn);
    }
  }
}

}  // namespace mpdist::data
