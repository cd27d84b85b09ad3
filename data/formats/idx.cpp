// SPDX-License-Identifier: Apache-2.0
#include "data/formats/idx.hpp"

#include <algorithm>
#include <filesystem>
#include <future>

#include "data/formats/byte_images.hpp"
#include "data/formats/idx_file.hpp"

namespace mpdist::data {
namespace {

namespace fs = std::filesystem;

/// The two files of one part, whole.
struct Part {
  std::string images_path, labels_path;
  Tensor images;  ///< [n, h, w] uint8
  Tensor labels;  ///< [n] uint8
};

std::string hint(const std::string& folder) {
  if (folder.starts_with("/usr/share/datasets/fashion-mnist"))
    return "; install the Debian package dataset-fashion-mnist";
  return "; set data.path to a folder with the four IDX files";
}

/// The plain file where there is one, else the compressed one.
std::string find_file(const std::string& folder, const std::string& stem) {
  for (const char* ending : {"", ".gz"}) {
    const fs::path path = fs::path(folder) / (stem + ending);
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) return path.string();
  }
  throw UsageError(
      fmt::format("data.path {}: expected {} or {}.gz, found neither{}", folder, stem, stem, hint(folder)));
}

Part find_part(const std::string& folder, const std::string& prefix) {
  Part part;
  part.images_path = find_file(folder, prefix + "-images-idx3-ubyte");
  part.labels_path = find_file(folder, prefix + "-labels-idx1-ubyte");
  return part;
}

void load(Part& part) {
  part.labels = read_idx_file(part.labels_path, 1);
  part.images = read_idx_file(part.images_path, 3);
  if (part.labels.elements() != part.images.shape()[0]) {
    throw FormatError(part.labels_path, "number of items",
                      fmt::format("expected {} labels, as many as images in {}, found {}", part.images.shape()[0],
                                  part.images_path, part.labels.elements()));
  }
}

std::int64_t largest_label(const Part& part) {
  return *std::ranges::max_element(part.labels.span<std::uint8_t>());
}

/// The part as a data set whose labels are below `classes`.
std::unique_ptr<Dataset> dataset_of(const Part& part, const std::string& name, std::int64_t classes) {
  if (largest_label(part) >= classes) {
    throw FormatError(
        part.labels_path, "values",
        fmt::format("expected labels below {} (the number of classes), found {}", classes, largest_label(part)));
  }
  const Shape& shape = part.images.shape();
  return std::make_unique<ByteImages>(name, part.images.reshaped({shape[0], shape[1], shape[2], 1}), part.labels,
                                      classes);
}

}  // namespace

void IdxOptions::describe(Schema& schema) {
  schema.key(
      "classes", classes,
      {.help = "number of classes; 0 takes one more than the largest training label", .minimum = 0, .maximum = 256});
}

Datasets open_idx(const IdxOptions& options, const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError(fmt::format("data.path: expected a folder, found no folder \"{}\"{}", folder, hint(folder)));
  }
  Part train = find_part(folder, "train"), test = find_part(folder, "t10k");
  // Inflating is what takes the time, and one stream cannot be split: one thread a part.
  auto test_loaded = std::async(std::launch::async, [&test] { load(test); });
  load(train);
  test_loaded.get();
  if (test.images.shape()[1] != train.images.shape()[1] || test.images.shape()[2] != train.images.shape()[2]) {
    throw FormatError(test.images_path, "height and width",
                      fmt::format("expected those of the training images {}, found {}",
                                  train.images.shape().to_string(), test.images.shape().to_string()));
  }
  const std::int64_t classes = options.classes > 0 ? options.classes : largest_label(train) + 1;
  return {.train = dataset_of(train, "idx.train", classes), .test = dataset_of(test, "idx.test", classes)};
}

}  // namespace mpdist::data
