// SPDX-License-Identifier: Apache-2.0
// Images a second that loader threads prepare, by format: read, decoded, resized, augmented, rounded to FP16.
//   loader_benchmark [images] [workers...]
// Writes a synthetic set of each format into a folder of its own first (10000 images unless said otherwise).
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "data/formats/hdf5.hpp"
#include "data/formats/idx.hpp"
#include "data/formats/images.hpp"
#include "data/formats/synthetic.hpp"
#include "data/loader.hpp"
#include "data/writers.hpp"
#include "tests/support/jpeg_file.hpp"

namespace mpdist::benchmarks {
namespace {

namespace fs = std::filesystem;
using data::Datasets;

constexpr std::int64_t kBatch = 128;
/// What one rank of resnet20 consumes at 28 x 28 in BF16 on one core (benchmarks/README.md), rounded up.
constexpr double kRankConsumes = 1000;

Datasets synthetic(std::int64_t images, std::int64_t side, std::int64_t channels) {
  data::SyntheticOptions options;
  options.size = images;
  options.test_size = 100;
  options.height = options.width = side;
  options.channels = channels;
  return data::open_synthetic(options, 1);
}

/// A folder of JPEGs of quality 90, as photographs are kept.
void write_jpegs(const Datasets& sets, const fs::path& folder) {
  for (const auto& [name, part] : {std::pair{"train", sets.train.get()}, {"test", sets.test.get()}}) {
    const Shape shape = part->image_shape();
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    std::vector<std::uint8_t> bytes(values.size());
    for (std::int64_t i = 0; i < part->size(); ++i) {
      part->read(i, values);
      data::to_bytes(values, bytes);
      const fs::path of_class = folder / name / fmt::format("{}", part->label(i));
      fs::create_directories(of_class);
      const std::string jpeg = test::jpeg_bytes(static_cast<int>(shape[0]), static_cast<int>(shape[1]),
                                                static_cast<int>(shape[2]), bytes, false, 90);
      std::ofstream(of_class / fmt::format("{:06}.jpg", i), std::ios::binary) << jpeg;
    }
  }
}

data::Loader make_loader(const data::Dataset& dataset, std::int64_t workers) {
  const data::Augmentation augmentation({.augment = {"crop", "flip"}}, dataset.image_shape(), 1);
  return {dataset,
          augmentation,
          data::Sampler(dataset.size(), 1, dataset.blocks()),
          {.global_batch = kBatch, .rows = kBatch, .dtype = DType::fp16, .workers = workers, .prefetch = 4}};
}

/// Batches made by threads must be those made without.
void verify(const data::Dataset& dataset) {
  data::Loader alone = make_loader(dataset, 0), threads = make_loader(dataset, 2);
  for (std::int64_t k = 0; k < 4; ++k) {
    const data::Batch a = alone.get(k), b = threads.get(k);
    require(std::memcmp(a.images.raw(), b.images.raw(), a.images.bytes()) == 0, "batch {} differs", k);
  }
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// One epoch: images a second by the clock, and by the processor time that it took.
void measure(const std::string& name, const data::Dataset& dataset, std::int64_t workers) {
  data::Loader loader = make_loader(dataset, workers);
  loader.get(0);  // starts the threads
  const std::int64_t batches = dataset.size() / kBatch;
  const auto start = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  for (std::int64_t k = 1; k <= batches; ++k) loader.get(k);
  const double images = static_cast<double>(batches * kBatch);
  const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu_s = cpu_seconds() - cpu;
  fmt::print("{:<36}{:>8}{:>14.0f}{:>20.0f}{:>22.1f}\n", name, workers, images / wall_s, images / cpu_s,
             images / cpu_s / kRankConsumes);
}

int run(std::int64_t images, const std::vector<std::int64_t>& workers) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mpdist_loader_benchmark_{}", getpid());
  fs::create_directories(folder / "idx");
  const auto file = [&](const char* name) { return (folder / name).string(); };
  data::write_idx(synthetic(images, 28, 1), file("idx"), {.type = "uint8"});
  const Datasets small = synthetic(images, 32, 3), large = synthetic(images, 64, 3),
                 photo = synthetic(images / 10, 256, 3);
  data::write_hdf5(small, file("plain.h5"), {.type = "uint8"});
  data::write_hdf5(small, file("deflated.h5"), {.type = "uint8", .deflate = 1});
  data::write_images(small, file("png"), {.type = "uint8"});
  write_jpegs(small, folder / "jpeg32");
  write_jpegs(large, folder / "jpeg64");
  write_jpegs(photo, folder / "jpeg256");
  const auto pictures = [&](const char* name, std::int64_t size) {
    data::ImagesOptions options;
    options.size = size;
    return data::open_images(options, file(name));
  };
  fmt::print("{:<36}{:>8}{:>14}{:>20}{:>22}\n", "format", "workers", "images/s", "images/s of CPU",
             "resnet20 ranks fed");
  const auto row = [&](const std::string& name, const Datasets& sets) {
    verify(*sets.train);
    for (std::int64_t count : workers) measure(name, *sets.train, count);
  };
  row("idx 28x28x1", data::open_idx({}, file("idx")));
  row("hdf5 32x32x3, chunks of 64", data::open_hdf5({}, file("plain.h5")));
  row("hdf5 32x32x3, deflated", data::open_hdf5({}, file("deflated.h5")));
  row("PNG 32x32", pictures("png", 32));
  row("JPEG 32x32", pictures("jpeg32", 32));
  row("JPEG 64x64", pictures("jpeg64", 64));
  row("JPEG 64x64 to 32x32", pictures("jpeg64", 32));
  row("JPEG 256x256 to 64x64", pictures("jpeg256", 64));
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace mpdist::benchmarks

int main(int argc, char** argv) {
  std::vector<std::int64_t> workers;
  for (int i = 2; i < argc; ++i) workers.push_back(std::atoll(argv[i]));
  if (workers.empty()) workers = {1, 2};
  return mpdist::benchmarks::run(argc > 1 ? std::atoll(argv[1]) : 10000, workers);
}
