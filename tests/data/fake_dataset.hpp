// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "data/digest.hpp"

namespace mpdist::data {

/// Image i holds i + pixel/100; label i is i % 7. Counts its reads, can be slow, and can fail at one index.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(std::int64_t size, Shape image = {3, 4, 1}) : size_(size), image_(image) {}

  std::int64_t size() const override { return size_; }
  Shape image_shape() const override { return image_; }
  std::int64_t classes() const override { return 7; }
  std::int32_t label(std::int64_t index) const override { return static_cast<std::int32_t>(index % 7); }
  std::uint64_t digest() const override { return digest_of(*this, "fake"); }
  void read(std::int64_t index, std::span<float> image) const override {
    ++reads;
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    if (index == fails_at.load()) throw std::runtime_error("planted");
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(index) + static_cast<float>(i) / 100;
  }

  mutable std::atomic<std::int64_t> reads = 0;
  std::atomic<std::int64_t> fails_at = -1;
  std::chrono::microseconds delay{0};

 private:
  std::int64_t size_;
  Shape image_;
};

}  // namespace mpdist::data
