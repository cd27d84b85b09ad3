// SPDX-License-Identifier: Apache-2.0
#include "data/loader.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <thread>
#include <vector>

#include "tests/data/fake_dataset.hpp"

namespace mpdist::data {
namespace {

constexpr std::int64_t kSamples = 50, kBatch = 8;
constexpr std::uint64_t kSeed = 5;

Augmentation augmentation(const Dataset& dataset) {
  return {{.mean = {3}, .std = {7}, .augment = {"crop", "flip"}, .crop_padding = 1}, dataset.image_shape(), kSeed};
}

Loader loader(const Dataset& dataset, LoaderOptions options) {
  options.global_batch = kBatch;
  if (options.rows == 0) options.rows = kBatch;
  return {dataset, augmentation(dataset), Sampler(dataset.size(), kSeed), options};
}

/// Images and labels as bytes, rows one behind another.
struct Content {
  std::vector<unsigned char> images, labels;
  bool operator==(const Content&) const = default;
  void append(const Batch& batch) {
    const auto* image = static_cast<const unsigned char*>(batch.images.raw());
    const auto* label = static_cast<const unsigned char*>(batch.labels.raw());
    images.insert(images.end(), image, image + batch.images.bytes());
    labels.insert(labels.end(), label, label + batch.labels.bytes());
  }
};

/// Batch k by its definition: sample, read, augment, round, one row after another.
Content by_definition(const Dataset& dataset, std::int64_t k, DType dtype) {
  const Sampler sampler(dataset.size(), kSeed);
  const Augmentation augment = augmentation(dataset);
  std::vector<float> raw(static_cast<std::size_t>(dataset.image_shape().elements())), prepared(raw.size());
  Content content;
  for (std::int64_t row = 0; row < kBatch; ++row) {
    const auto [epoch, index] = sampler.at(k * kBatch + row);
    dataset.read(index, raw);
    augment.apply(raw, prepared, epoch, index, true);
    for (float value : prepared) {
      with_compute_type(dtype, [&](auto type) {
        const auto rounded = from_float<decltype(type)>(value);
        const auto* bytes = reinterpret_cast<const unsigned char*>(&rounded);
        content.images.insert(content.images.end(), bytes, bytes + sizeof(rounded));
      });
    }
    const std::int32_t label = dataset.label(index);
    const auto* bytes = reinterpret_cast<const unsigned char*>(&label);
    content.labels.insert(content.labels.end(), bytes, bytes + sizeof(label));
  }
  return content;
}

Content content_of(const Batch& batch) {
  Content content;
  content.append(batch);
  return content;
}

TEST(Loader, BatchesAreWhatTheirNumberSaysForEveryTypeWorkerCountAndDepth) {
  const FakeDataset dataset(kSamples);
  for (DType dtype : {DType::fp32, DType::fp16, DType::bf16}) {
    for (std::int64_t workers : {0, 1, 2, 3}) {
      for (std::int64_t prefetch : {1, 2, 5}) {
        Loader loads = loader(dataset, {.dtype = dtype, .workers = workers, .prefetch = prefetch});
        for (std::int64_t k = 0; k < 15; ++k) {  // over two ends of an epoch
          const Batch batch = loads.get(k);
          EXPECT_EQ(batch.attempted, k);
          EXPECT_EQ(batch.images.shape(), (Shape{kBatch, 3, 4, 1}));
          EXPECT_EQ(batch.images.dtype(), dtype);
          ASSERT_EQ(content_of(batch), by_definition(dataset, k, dtype)) << workers << " workers, batch " << k;
        }
      }
    }
  }
}

TEST(Loader, PartsOfAnyNumberOfRanksMakeTheSameBatch) {
  const FakeDataset dataset(kSamples);
  for (std::int64_t ranks : {1, 2, 4, 8}) {
    std::vector<Content> joined(4);
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const std::int64_t rows = kBatch / ranks;
      Loader part = loader(dataset, {.first = rank * rows, .rows = rows, .dtype = DType::fp16});
      for (std::int64_t k = 0; k < 4; ++k) {
        const Batch batch = part.get(k);
        EXPECT_EQ(batch.first_position, rank * rows);
        joined[static_cast<std::size_t>(k)].append(batch);
      }
    }
    for (std::int64_t k = 0; k < 4; ++k) {
      EXPECT_EQ(joined[static_cast<std::size_t>(k)], by_definition(dataset, k, DType::fp16)) << ranks << " ranks";
    }
  }
}

TEST(Loader, StartsAndRestartsAnywhere) {
  const FakeDataset dataset(kSamples);
  for (std::int64_t workers : {0, 1, 3}) {
    Loader loads = loader(dataset, {.workers = workers, .prefetch = 3});
    for (std::int64_t k : {40, 41, 7, 8, 9, 9, 0, 1000000, 1000001}) {
      ASSERT_EQ(content_of(loads.get(k)), by_definition(dataset, k, DType::fp32)) << "batch " << k;
    }
  }
}

TEST(Loader, ARestartDropsWhatWasBegunBefore) {
  FakeDataset dataset(kSamples);
  dataset.delay = std::chrono::microseconds(100);
  Loader loads = loader(dataset, {.workers = 2, .prefetch = 1});
  for (std::int64_t k = 0; k < 20; ++k) {  // at each jump a worker is busy with the batch behind the last one
    std::this_thread::sleep_for(std::chrono::microseconds(100 * (k % 8)));
    ASSERT_EQ(content_of(loads.get(k * 7 % 20)), by_definition(dataset, k * 7 % 20, DType::fp32));
  }
}

TEST(Loader, AHeldBatchKeepsItsMemory) {
  const FakeDataset dataset(kSamples);
  Loader loads = loader(dataset, {.workers = 2, .prefetch = 2});
  const Batch held = loads.get(0);
  for (std::int64_t k = 1; k < 20; ++k) loads.get(k);
  EXPECT_EQ(content_of(held), by_definition(dataset, 0, DType::fp32));
}

TEST(Loader, ASteadyLoopAsksTheSystemForNothing) {
  const FakeDataset dataset(kSamples);
  Loader loads = loader(dataset, {.workers = 2, .prefetch = 2});
  for (std::int64_t k = 0; k < 100; ++k) loads.get(k);
  const std::int64_t before = Pool::host().use().system_allocations;
  for (std::int64_t k = 100; k < 400; ++k) loads.get(k);
  EXPECT_LE(Pool::host().use().system_allocations, before + 2) << "rarely, all workers and the caller hold one at once";
}

TEST(Loader, PreparesNoMoreThanItIsAllowed) {
  const FakeDataset dataset(kSamples);
  constexpr std::int64_t kPrefetch = 3;
  Loader loads = loader(dataset, {.workers = 2, .prefetch = kPrefetch});
  loads.get(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(dataset.reads, (1 + kPrefetch) * kBatch);
}

TEST(Loader, ThrowsAgainWhatAThreadThrewAndGoesOn) {
  for (std::int64_t workers : {0, 1, 3}) {
    FakeDataset dataset(kSamples);
    dataset.fails_at = Sampler(kSamples, kSeed).at(2 * kBatch + 3).index;
    Loader loads = loader(dataset, {.workers = workers, .prefetch = 4});
    loads.get(0);
    loads.get(1);
    try {
      loads.get(2);
      ADD_FAILURE() << "batch 2 did not fail with " << workers << " workers";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "planted");
    }
    dataset.fails_at = -1;
    EXPECT_EQ(content_of(loads.get(2)), by_definition(dataset, 2, DType::fp32));
    EXPECT_EQ(content_of(loads.get(3)), by_definition(dataset, 3, DType::fp32));
  }
}

TEST(Loader, EndsCleanlyAtAnyMoment) {
  FakeDataset dataset(kSamples);
  { const Loader never_used = loader(dataset, {.workers = 3}); }
  for (int i = 0; i < 50; ++i) {
    Loader loads = loader(dataset, {.workers = 3, .prefetch = 1 + i % 4});
    for (std::int64_t k = 0; k < i % 3; ++k) loads.get(k);
  }
  dataset.fails_at = Sampler(kSamples, kSeed).at(kBatch).index;
  Loader failing = loader(dataset, {.workers = 1, .prefetch = 4});  // ends with an exception that nobody fetched
  failing.get(0);
}

TEST(Loader, MeasuresHowLongItWasWaitedFor) {
  FakeDataset dataset(kSamples);
  dataset.delay = std::chrono::milliseconds(2);
  Loader loads = loader(dataset, {.workers = 1});
  EXPECT_EQ(loads.wait_s(), 0);
  loads.get(0);
  EXPECT_GE(loads.wait_s(), kBatch * 0.002);
  std::this_thread::sleep_for(std::chrono::milliseconds(20 * kBatch));  // batch 1 is ready long before
  const double before = loads.wait_s();
  loads.get(1);
  EXPECT_LT(loads.wait_s() - before, kBatch * 0.002);
}

/// Remembers on how many CPUs the thread that reads may run.
class WhereRead : public FakeDataset {
 public:
  WhereRead() : FakeDataset(kSamples) {}
  void read(std::int64_t index, std::span<float> image) const override {
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    cpus = CPU_COUNT(&mask);
    FakeDataset::read(index, image);
  }
  mutable std::atomic<int> cpus = 0;
};

TEST(Loader, SeveralWorkersLeaveTheOneCpuOfTheirRank) {
  cpu_set_t whole, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof whole, &whole), 0);
  if (CPU_COUNT(&whole) == 1) GTEST_SKIP() << "a machine of one CPU";
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
  for (std::int64_t workers : {1, 2}) {
    const WhereRead dataset;
    std::thread([&] {
      sched_setaffinity(0, sizeof one, &one);
      Loader loads = loader(dataset, {.workers = workers});
      loads.get(0);
    }).join();
    EXPECT_EQ(dataset.cpus > 1, workers > 1) << workers << " workers on " << dataset.cpus << " CPUs";
  }
}

TEST(Loader, NoWorkerIdlesForWantOfPlaceInTheQueue) {
  const FakeDataset dataset(kSamples);
  Loader loads = loader(dataset, {.workers = 4, .prefetch = 1});
  loads.get(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(dataset.reads, (1 + 4) * kBatch);
}

TEST(Loader, RefusesRowsOutsideTheBatch) {
  const FakeDataset dataset(kSamples);
  EXPECT_THROW(loader(dataset, {.first = 1, .rows = kBatch}), InvalidArgument);
  EXPECT_THROW(loader(dataset, {.first = -1, .rows = 2}), InvalidArgument);
  EXPECT_THROW(loader(dataset, {.prefetch = 0}), InvalidArgument);
  EXPECT_THROW(loader(dataset, {.workers = -1}), InvalidArgument);
  EXPECT_THROW(loader(dataset, {}).get(-1), InvalidArgument);
}

TEST(EvaluationBlock, IsInDataOrderWithoutAugmentation) {
  const FakeDataset dataset(10);
  const Batch batch = evaluation_block(dataset, augmentation(dataset), 4, 4, DType::fp32);
  EXPECT_EQ(batch.first_position, 4);
  for (std::int64_t row = 0; row < 4; ++row) {
    EXPECT_EQ(batch.labels.data<std::int32_t>()[row], (4 + row) % 7);
    for (std::int64_t i = 0; i < 12; ++i) {
      const float raw = static_cast<float>(4 + row) + static_cast<float>(i) / 100;
      EXPECT_EQ(batch.images.data<float>()[row * 12 + i], (raw - 3) / 7);
    }
  }
}

TEST(EvaluationBlock, PadsBehindTheEndWithZerosAndLabelMinusOne) {
  const FakeDataset dataset(10);
  for (std::int64_t first : {8, 10, 12}) {
    const Batch batch = evaluation_block(dataset, augmentation(dataset), first, 4, DType::fp16);
    for (std::int64_t row = 0; row < 4; ++row) {
      const bool real = first + row < 10;
      EXPECT_EQ(batch.labels.data<std::int32_t>()[row], real ? (first + row) % 7 : -1);
      for (std::int64_t i = 0; i < 12; ++i) {
        EXPECT_EQ(batch.images.data<half>()[row * 12 + i].bits != 0, real) << "image " << first + row;
      }
    }
  }
}

}  // namespace
}  // namespace mpdist::data
