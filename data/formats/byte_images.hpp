// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "data/dataset.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::data {

/// One part of a data set that lies in memory as bytes; read() scales them to [0, 1].
class ByteImages final : public Dataset {
 public:
  /// `images` [n, h, w, c] uint8, `labels` [n] uint8, all below `classes`. `name` is format and part, for the digest.
  ByteImages(std::string name, Tensor images, Tensor labels, std::int64_t classes);

  std::int64_t size() const override { return images_.shape()[0]; }
  Shape image_shape() const override { return {images_.shape()[1], images_.shape()[2], images_.shape()[3]}; }
  std::int64_t classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return label_data_[index]; }
  std::uint64_t digest() const override;
  void read(std::int64_t index, std::span<float> image) const override;

 private:
  std::string name_;
  Tensor images_, labels_;
  const std::uint8_t* label_data_;
  std::int64_t classes_;
};

}  // namespace mpdist::data
