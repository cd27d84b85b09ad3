// SPDX-License-Identifier: Apache-2.0
#include "data/formats/hdf5.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "data/digest.hpp"
#include "data/formats/array_blocks.hpp"
#include "data/formats/block_cache.hpp"

namespace mpdist::data {
namespace {

using hdf5::ElementType;

/// Where one part lies.
struct Source {
  std::string path, images, labels;
};

/// Labels of any type, as numbers that must be whole.
std::vector<std::int32_t> read_labels(const Source& source, std::int64_t images) {
  const hdf5::Array array = hdf5::Array::open(source.path, source.labels);
  if (array.shape().rank() != 1 || array.shape()[0] != images) {
    throw FormatError(source.path, source.labels,
                      fmt::format("expected shape [{}], one label for each of {}, found {}", images, source.images,
                                  array.shape().to_string()));
  }
  std::vector<std::byte> elements(static_cast<std::size_t>(images) * array.row_bytes());
  array.read(0, images, elements);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(images));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double value = element_at(array.type(), elements, i);
    if (!(value >= 0 && value < 2147483647.0) || value != std::floor(value)) {
      throw FormatError(source.path, fmt::format("{}[{}]", source.labels, i),
                        fmt::format("expected a whole number from 0 on, found {}", value));
    }
    labels[i] = static_cast<std::int32_t>(value);
  }
  return labels;
}

void require_below(const Source& source, const std::vector<std::int32_t>& labels, std::int64_t classes) {
  const auto beyond = std::ranges::find_if(labels, [&](std::int32_t label) { return label >= classes; });
  if (beyond == labels.end()) return;
  throw FormatError(source.path, fmt::format("{}[{}]", source.labels, beyond - labels.begin()),
                    fmt::format("expected a label below {} (the number of classes), found {}", classes, *beyond));
}

/// Floats are taken as they are, bytes and 16-bit values as fractions of their largest; of other integers nobody knows
/// which value is white.
float scale_of(const Source& source, const ElementType& type, double scale) {
  if (scale > 0) {
    const auto rounded = static_cast<float>(scale);
    if (rounded > 0 && std::isfinite(rounded)) return rounded;
    throw UsageError(fmt::format("data.scale: expected a value that FP32 can hold, found {}", scale));
  }
  if (type.kind == ElementType::Kind::floating) return 1;
  if (type.kind == ElementType::Kind::unsigned_integer && type.bytes <= 2) return type.bytes == 1 ? 255 : 65535;
  throw UsageError(
      fmt::format("{}: {} holds {}: set data.scale to the value that shall become 1 (255 for bytes in a wider type)",
                  source.path, source.images, type.name()));
}

class Hdf5Dataset final : public Dataset {
 public:
  Hdf5Dataset(Source source, std::string name, const Hdf5Options& options)
      : source_(std::move(source)),
        blocks_(source_.path, source_.images),
        labels_((require_images(), read_labels(source_, blocks_.array().shape()[0]))),
        scale_(scale_of(source_, blocks_.array().type(), options.scale)),
        mixed_(options.mixed_chunks),
        cache_(static_cast<std::size_t>(4 * mixed_), [this](std::int64_t block) { return blocks_.read(block); }) {
    name_ = fmt::format("{} {} by {}", name, blocks_.array().type().name(), blocks_.array().block_rows());
  }

  std::int64_t size() const override { return blocks_.array().shape()[0]; }
  Shape image_shape() const override {
    const Shape& shape = blocks_.array().shape();
    return {shape[1], shape[2], shape.rank() == 4 ? shape[3] : 1};
  }
  std::int64_t classes() const override { return classes_; }
  Blocks blocks() const override { return {.rows = blocks_.array().block_rows(), .mixed = mixed_}; }
  std::int64_t cache_bytes() const override {
    const std::int64_t rows = blocks_.array().block_rows();
    if (rows == 1) return 0;
    const std::int64_t held = std::min(4 * mixed_, (size() + rows - 1) / rows);
    return held * rows * static_cast<std::int64_t>(blocks_.array().row_bytes());
  }
  std::int32_t label(std::int64_t index) const override { return labels_[static_cast<std::size_t>(index)]; }
  std::uint64_t digest() const override { return digest_of(*this, name_); }

  void read(std::int64_t index, std::span<float> image) const override {
    require(index >= 0 && index < size(), "image {} of {}", index, size());
    const std::int64_t rows = blocks_.array().block_rows(), block = index / rows;
    const Tensor held = rows == 1 ? blocks_.read(block) : cache_.get(block);
    const std::size_t bytes = blocks_.array().row_bytes();
    to_floats(blocks_.array().type(), bytes_of(held).subspan(static_cast<std::size_t>(index % rows) * bytes, bytes),
              scale_, image);
  }

  std::int64_t largest_label() const { return *std::ranges::max_element(labels_); }
  void set_classes(std::int64_t classes) {
    require_below(source_, labels_, classes);
    classes_ = classes;
  }

 private:
  void require_images() const {
    const Shape& shape = blocks_.array().shape();
    if (shape.rank() == 3 || shape.rank() == 4) return;
    throw FormatError(source_.path, source_.images,
                      fmt::format("expected images [n, h, w, c] or [n, h, w], found {}", shape.to_string()));
  }

  Source source_;
  ArrayBlocks blocks_;
  std::vector<std::int32_t> labels_;
  float scale_;
  std::int64_t mixed_, classes_ = 0;
  std::string name_;
  mutable BlockCache cache_;
};

}  // namespace

void Hdf5Options::describe(Schema& schema) {
  const auto dataset = [](const char* what) { return KeyDoc{.help = std::string("dataset of the ") + what}; };
  schema.key("test_path", test_path, {.help = "file of the test part; empty: data.path", .resume_may_change = true})
      .key("train_images", train_images, dataset("training images, [n, h, w, c] or [n, h, w]"))
      .key("train_labels", train_labels, dataset("training labels, [n]"))
      .key("test_images", test_images, dataset("test images"))
      .key("test_labels", test_labels, dataset("test labels"))
      .key("scale", scale,
           {.help = "raw values are divided by it; 0: uint8 by 255, uint16 by 65535, floats by 1", .minimum = 0})
      .key("classes", classes,
           {.help = "number of classes; 0 takes one more than the largest training label",
            .minimum = 0,
            .maximum = 1 << 30})
      .key("mixed_chunks", mixed_chunks,
           {.help = "chunks of the file whose images are shuffled together; 4 times as many are kept in memory",
            .minimum = 1,
            .maximum = 65536});
}

Datasets open_hdf5(const Hdf5Options& options, const std::string& path) {
  const std::string test_path = options.test_path.empty() ? path : options.test_path;
  auto train =
      std::make_unique<Hdf5Dataset>(Source{path, options.train_images, options.train_labels}, "hdf5.train", options);
  auto test =
      std::make_unique<Hdf5Dataset>(Source{test_path, options.test_images, options.test_labels}, "hdf5.test", options);
  if (!(test->image_shape() == train->image_shape())) {
    throw FormatError(test_path, options.test_images,
                      fmt::format("expected images {} as in training, found {}", train->image_shape().to_string(),
                                  test->image_shape().to_string()));
  }
  const std::int64_t classes = options.classes > 0 ? options.classes : train->largest_label() + 1;
  train->set_classes(classes);
  test->set_classes(classes);
  return {.train = std::move(train), .test = std::move(test)};
}

}  // namespace mpdist::data
