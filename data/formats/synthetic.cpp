// SPDX-License-Identifier: Apache-2.0
#include "data/formats/synthetic.hpp"

#include <array>
#include <string>
#include <vector>

#include "data/digest.hpp"
#include "src/core/philox.hpp"

namespace mpdist::data {
namespace {

class SyntheticDataset final : public Dataset {
 public:
  SyntheticDataset(const SyntheticOptions& options, std::string name, std::int64_t size, std::uint64_t seed)
      : name_(std::move(name)),
        size_(size),
        image_({options.height, options.width, options.channels}),
        classes_(options.classes),
        noise_(static_cast<float>(options.noise)),
        pattern_{.seed = seed, .operation = hash_name("synthetic.pattern")},
        draws_{.seed = seed, .operation = hash_name(name_)} {}

  std::int64_t size() const override { return size_; }
  Shape image_shape() const override { return image_; }
  std::int64_t classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return static_cast<std::int32_t>(index % classes_); }
  std::uint64_t digest() const override { return digest_of(*this, name_); }

  void read(std::int64_t index, std::span<float> image) const override {
    require(index >= 0 && index < size_ && static_cast<std::int64_t>(image.size()) == image_.elements(),
            "image {} of {} into {} values", index, size_, image.size());
    write_noise(index, image);
    const std::int64_t height = image_[0], width = image_[1], channels = image_[2];
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      const auto patches = patches_of(label(index), channel);
      for (std::int64_t y = 0; y < height; ++y) {
        float* row = image.data() + y * width * channels + channel;
        const float* patch_row = patches.data() + y * kGrid / height * kGrid;
        for (std::int64_t x = 0; x < width; ++x) row[x * channels] += (1 - noise_) * patch_row[x * kGrid / width];
      }
    }
  }

 private:
  using Patches = std::array<float, kGrid * kGrid>;

  Patches patches_of(std::int32_t label, std::int64_t channel) const {
    Patches patches{};
    for (std::size_t i = 0; i < patches.size(); ++i) {
      const std::uint64_t group = static_cast<std::uint64_t>(channel) * (patches.size() / 4) + i / 4;
      patches[i] = uniform(pattern_.words(static_cast<std::uint64_t>(label), group)[i % 4]);
    }
    return patches;
  }

  /// Two draws of 16 bits from each word: their resolution is far below what noise needs.
  void write_noise(std::int64_t index, std::span<float> image) const {
    const float unit = noise_ * 0x1p-16f;
    for (std::size_t i = 0; i < image.size(); i += 8) {
      const auto words = draws_.words(static_cast<std::uint64_t>(index), i / 8);
      for (std::size_t j = 0; j < 8 && i + j < image.size(); ++j) {
        image[i + j] = unit * static_cast<float>(j % 2 ? words[j / 2] >> 16 : words[j / 2] & 0xffffu);
      }
    }
  }

  std::string name_;
  std::int64_t size_;
  Shape image_;
  std::int64_t classes_;
  float noise_;
  RandomKey pattern_, draws_;
};

}  // namespace

void SyntheticOptions::describe(Schema& schema) {
  schema.key("size", size, {.help = "number of training images", .minimum = 1})
      .key("test_size", test_size, {.help = "number of test images", .minimum = 1})
      .key("height", height, {.help = "height of an image", .unit = "pixels", .minimum = 1, .maximum = 65536})
      .key("width", width, {.help = "width of an image", .unit = "pixels", .minimum = 1, .maximum = 65536})
      .key("channels", channels, {.help = "channels of an image", .minimum = 1, .maximum = 65536})
      .key("classes", classes, {.help = "number of classes", .minimum = 1, .maximum = 1 << 30})
      .key("noise", noise, {.help = "share of noise in an image", .minimum = 0, .maximum = 1});
}

Datasets open_synthetic(const SyntheticOptions& options, std::uint64_t seed) {
  return {.train = std::make_unique<SyntheticDataset>(options, "synthetic.train", options.size, seed),
          .test = std::make_unique<SyntheticDataset>(options, "synthetic.test", options.test_size, seed)};
}

}  // namespace mpdist::data
