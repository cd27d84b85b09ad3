// SPDX-License-Identifier: Apache-2.0
#include "data/formats/cifar10.hpp"

#include <filesystem>
#include <vector>

#include "data/formats/byte_images.hpp"
#include "data/formats/byte_source.hpp"

namespace mpdist::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 32, kPlane = kSide * kSide, kImage = 3 * kPlane;

/// What the files of one collection hold.
struct Collection {
  std::vector<std::string> train;
  std::string test;
  std::int64_t train_records, test_records;  ///< a file, as published
  std::int64_t labels;                       ///< bytes before the image
  std::int64_t label;                        ///< the one that is used
  std::int64_t classes;
};

Collection collection_named(const std::string& name) {
  if (name == "cifar10") {
    return {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
            "test_batch.bin",
            10000,
            10000,
            1,
            0,
            10};
  }
  const bool coarse = name == "cifar100-coarse";
  return {{"train.bin"}, "test.bin", 50000, 10000, 2, coarse ? 0 : 1, coarse ? 20 : 100};
}

/// Where records go.
struct Part {
  Tensor images;  ///< [n, 32, 32, 3] uint8
  Tensor labels;  ///< [n] uint8
};

Part empty_part(std::int64_t n) {
  return {Tensor({n, kSide, kSide, 3}, DType::uint8, MemoryKind::data), Tensor({n}, DType::uint8, MemoryKind::data)};
}

/// Planes of red, green, blue to pixels.
void interleave(const std::uint8_t* planes, std::uint8_t* pixels) {
  for (std::int64_t i = 0; i < kPlane; ++i) {
    for (std::int64_t channel = 0; channel < 3; ++channel) pixels[3 * i + channel] = planes[channel * kPlane + i];
  }
}

void refuse_length(const std::string& path, std::int64_t records, std::int64_t record, std::uint64_t bytes) {
  const std::uint64_t expected = static_cast<std::uint64_t>(records * record);
  if (bytes == expected) return;
  const std::uint64_t whole = bytes / static_cast<std::uint64_t>(record);
  const std::uint64_t rest = bytes % static_cast<std::uint64_t>(record);
  const std::string where = bytes > expected ? "length" : fmt::format("record {}", whole);
  throw FormatError(path, where,
                    fmt::format("expected {} records of {} bytes, found {} and {} bytes{}", records, record, whole,
                                rest, bytes > expected ? "" : ": the file is cut short"));
}

/// Reads `records` records into rows [first, first + records) of the part.
void read_file(const std::string& path, const Collection& collection, std::int64_t records, std::int64_t first,
               Part& part) {
  const auto source = ByteSource::open(path);
  const std::int64_t record = collection.labels + kImage;
  refuse_length(path, records, record, source->most_bytes());
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(record));
  for (std::int64_t i = 0; i < records; ++i) {
    if (source->read(bytes) != bytes.size())
      refuse_length(path, records, record, static_cast<std::uint64_t>(i * record));
    const std::uint8_t label = bytes[static_cast<std::size_t>(collection.label)];
    if (label >= collection.classes) {
      throw FormatError(path, fmt::format("record {}, label", i),
                        fmt::format("expected 0 to {}, found {}", collection.classes - 1, label));
    }
    part.labels.data<std::uint8_t>()[first + i] = label;
    interleave(bytes.data() + collection.labels, part.images.data<std::uint8_t>() + (first + i) * kImage);
  }
}

void require_files(const std::string& folder, const Collection& collection, const std::string& labels) {
  std::vector<std::string> names = collection.train;
  names.push_back(collection.test);
  for (const std::string& name : names) {
    std::error_code ignored;
    if (fs::is_regular_file(fs::path(folder) / name, ignored)) continue;
    throw UsageError(
        fmt::format("data.path {}: expected {} of data.labels = \"{}\", found no such file; set data.path "
                    "to the folder of the binary version's files",
                    folder, name, labels));
  }
}

}  // namespace

void Cifar10Options::describe(Schema& schema) {
  schema
      .key("labels", labels,
           {.help = "which collection and labels: 10 classes, 100, or the 20 coarse ones of CIFAR-100",
            .allowed = {"cifar10", "cifar100", "cifar100-coarse"}})
      .key("records", records,
           {.help = "images in each file; 0: as published (10000; 50000 in CIFAR-100's train.bin)",
            .minimum = 0,
            .maximum = 1 << 24});
}

Datasets open_cifar10(const Cifar10Options& options, const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError(fmt::format("data.path: expected a folder, found no folder \"{}\"", folder));
  }
  const Collection collection = collection_named(options.labels);
  require_files(folder, collection, options.labels);
  const std::int64_t train = options.records > 0 ? options.records : collection.train_records;
  const std::int64_t test = options.records > 0 ? options.records : collection.test_records;
  Part train_part = empty_part(train * static_cast<std::int64_t>(collection.train.size())),
       test_part = empty_part(test);
  std::int64_t first = 0;
  for (const std::string& name : collection.train) {
    read_file((fs::path(folder) / name).string(), collection, train, first, train_part);
    first += train;
  }
  read_file((fs::path(folder) / collection.test).string(), collection, test, 0, test_part);
  return {.train = std::make_unique<ByteImages>(options.labels + ".train", train_part.images, train_part.labels,
                                                collection.classes),
          .test = std::make_unique<ByteImages>(options.labels + ".test", test_part.images, test_part.labels,
                                               collection.classes)};
}

}  // namespace mpdist::data
