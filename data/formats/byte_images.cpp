// SPDX-License-Identifier: Apache-2.0
#include "data/formats/byte_images.hpp"

#include "data/digest.hpp"

namespace mpdist::data {

ByteImages::ByteImages(std::string name, Tensor images, Tensor labels, std::int64_t classes)
    : name_(std::move(name)),
      images_(std::move(images)),
      labels_(std::move(labels)),
      label_data_(labels_.data<std::uint8_t>()),
      classes_(classes) {
  require(images_.shape().rank() == 4 && labels_.elements() == images_.shape()[0], "images {} with {} labels",
          images_.shape().to_string(), labels_.elements());
}

std::uint64_t ByteImages::digest() const {
  return digest_of(*this, name_);
}

void ByteImages::read(std::int64_t index, std::span<float> image) const {
  const auto bytes = static_cast<std::int64_t>(image.size());
  require(index >= 0 && index < size() && bytes == image_shape().elements(), "image {} of {} into {} values", index,
          size(), bytes);
  const std::uint8_t* source = images_.data<std::uint8_t>() + index * bytes;
  float* out = image.data();
  for (std::int64_t i = 0; i < bytes; ++i) out[i] = static_cast<float>(source[i]) / 255.0f;
}

}  // namespace mpdist::data
