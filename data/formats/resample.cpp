// SPDX-License-Identifier: Apache-2.0
#include "data/formats/resample.hpp"

#include <algorithm>
#include <cmath>

#include "src/core/error.hpp"

namespace mpdist::data {

Resampler::Resampler(std::int64_t shorter, std::int64_t size) : shorter_(shorter), size_(size) {
  require(size >= 1 && size <= shorter, "resampling to {} pixels and cutting out {}", shorter, size);
}

void Resampler::prepare(Axis& axis, std::int64_t source, std::int64_t resized) const {
  if (axis.source == source && axis.resized == resized) return;
  axis.source = source;
  axis.resized = resized;
  const double reduction = static_cast<double>(source) / static_cast<double>(resized);
  const double reach = std::max(1.0, reduction);
  axis.taps = std::min(source, static_cast<std::int64_t>(std::ceil(2 * reach)) + 1);
  axis.first.assign(static_cast<std::size_t>(size_), 0);
  axis.weights.assign(static_cast<std::size_t>(size_ * axis.taps), 0.0f);
  std::vector<double> triangle(static_cast<std::size_t>(axis.taps));
  for (std::int64_t i = 0; i < size_; ++i) {
    const double centre = (static_cast<double>((resized - size_) / 2 + i) + 0.5) * reduction - 0.5;
    const auto lowest = static_cast<std::int64_t>(std::floor(centre - reach)) + 1;
    const std::int64_t first = std::clamp<std::int64_t>(lowest, 0, source - axis.taps);
    double sum = 0;
    for (std::int64_t j = 0; j < axis.taps; ++j) {
      const double distance = std::abs(static_cast<double>(first + j) - centre) / reach;
      sum += triangle[static_cast<std::size_t>(j)] = std::max(0.0, 1 - distance);
    }
    axis.first[static_cast<std::size_t>(i)] = first;
    for (std::int64_t j = 0; j < axis.taps; ++j) {
      axis.weights[static_cast<std::size_t>(i * axis.taps + j)] =
          static_cast<float>(triangle[static_cast<std::size_t>(j)] / sum);
    }
  }
}

/// rows_[y - begin] = source row y resampled across, for y in [begin, end).
void Resampler::rows_across(const Picture& picture, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = picture.channels, taps = across_.taps;
  rows_.resize(static_cast<std::size_t>((end - begin) * size_ * channels));
  float* out = rows_.data();
  for (std::int64_t y = begin; y < end; ++y) {
    const std::uint8_t* row = picture.pixels.data() + y * picture.width * channels;
    for (std::int64_t x = 0; x < size_; ++x) {
      const std::uint8_t* source = row + across_.first[static_cast<std::size_t>(x)] * channels;
      const float* weights = across_.weights.data() + x * taps;
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        float sum = 0;
        for (std::int64_t j = 0; j < taps; ++j) sum += weights[j] * static_cast<float>(source[j * channels + channel]);
        *out++ = sum;
      }
    }
  }
}

void Resampler::apply(const Picture& picture, std::span<float> out) {
  const std::int64_t row = size_ * picture.channels;
  require(static_cast<std::int64_t>(out.size()) == size_ * row, "a picture of {} channels into {} values",
          picture.channels, out.size());
  const std::int64_t side = std::min(picture.file_height, picture.file_width);
  prepare(across_, picture.width, picture.file_width * shorter_ / side);
  prepare(down_, picture.height, picture.file_height * shorter_ / side);
  const std::int64_t begin = down_.first.front();
  rows_across(picture, begin, down_.first.back() + down_.taps);
  for (std::int64_t y = 0; y < size_; ++y) {
    float* target = out.data() + y * row;
    std::fill_n(target, row, 0.0f);
    for (std::int64_t j = 0; j < down_.taps; ++j) {
      const float weight = down_.weights[static_cast<std::size_t>(y * down_.taps + j)];
      const float* source = rows_.data() + (down_.first[static_cast<std::size_t>(y)] + j - begin) * row;
      for (std::int64_t i = 0; i < row; ++i) target[i] += weight * source[i];
    }
    for (std::int64_t i = 0; i < row; ++i) target[i] /= 255.0f;
  }
}

}  // namespace mpdist::data
