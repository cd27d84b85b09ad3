// SPDX-License-Identifier: Apache-2.0
#include "data/formats/block_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "data/loader.hpp"
#include "tests/data/fake_dataset.hpp"

namespace mpdist::data {
namespace {

Tensor block_of(std::int64_t index) {
  Tensor block({1}, DType::int64, MemoryKind::data);
  *block.data<std::int64_t>() = index;
  return block;
}

TEST(BlockCache, KeepsWhatWasUsedLast) {
  BlockCache cache(2, block_of);
  for (std::int64_t index : {1, 2, 1, 3, 1}) EXPECT_EQ(*cache.get(index).data<std::int64_t>(), index);
  EXPECT_EQ(cache.loads(), 3) << "3 took the place of 2, not of 1";
  cache.get(2);
  EXPECT_EQ(cache.loads(), 4);
}

TEST(BlockCache, ManyThreadsWaitForOneLoad) {
  std::atomic<int> loads = 0;
  BlockCache cache(4, [&](std::int64_t index) {
    ++loads;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return block_of(index);
  });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { EXPECT_EQ(*cache.get(7).data<std::int64_t>(), 7); });
    }
  }
  EXPECT_EQ(loads, 1);
}

TEST(BlockCache, AFailedLoadIsThrownAndTriedAgain) {
  bool fails = true;
  BlockCache cache(4, [&](std::int64_t index) {
    if (fails) throw std::runtime_error("planted");
    return block_of(index);
  });
  EXPECT_THROW(cache.get(1), std::runtime_error);
  fails = false;
  EXPECT_EQ(*cache.get(1).data<std::int64_t>(), 1);
}

/// A data set that is read by blocks, as hdf5 reads it.
class Blockwise : public FakeDataset {
 public:
  static constexpr std::int64_t kRows = 8, kMixed = 3, kSize = 8 * 30 + 5;
  Blockwise() : FakeDataset(kSize) {}
  Blocks blocks() const override { return {.rows = kRows, .mixed = kMixed}; }
  void read(std::int64_t index, std::span<float> image) const override {
    cache.get(index / kRows);
    FakeDataset::read(index, image);
  }
  mutable BlockCache cache{4 * kMixed, block_of};
};

TEST(BlockCache, ABlockIsReadOnceAnEpochByAnyNumberOfWorkers) {
  for (std::int64_t workers : {0, 1, 3}) {
    const Blockwise dataset;
    Loader loader(dataset, Augmentation({}, dataset.image_shape(), 1), Sampler(dataset.size(), 1, dataset.blocks()),
                  {.global_batch = 7, .rows = 7, .workers = workers, .prefetch = 2});
    for (std::int64_t k = 0; k < dataset.size() / 7; ++k) loader.get(k);
    const std::int64_t blocks = (dataset.size() + Blockwise::kRows - 1) / Blockwise::kRows;
    EXPECT_GE(dataset.cache.loads(), blocks);
    EXPECT_LE(dataset.cache.loads(), blocks + Blockwise::kMixed) << "workers may have begun the next epoch";
  }
}

}  // namespace
}  // namespace mpdist::data
