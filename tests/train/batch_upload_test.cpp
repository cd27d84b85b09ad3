// SPDX-License-Identifier: Apache-2.0
// On the device under test (tests/support/device.hpp).
#include "src/train/batch_upload.hpp"

#include <gtest/gtest.h>

#include "kernels/add.hpp"
#include "src/core/error.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::train {
namespace {

data::Batch host_batch(std::int64_t k, std::int64_t rows = 3) {
  Pool& pool = test::stream_under_test().host_pool();
  data::Batch batch{.attempted = k, .first_position = 7};
  batch.images = Tensor({rows, 4, 4, 1}, DType::fp32, MemoryKind::data, pool);
  batch.labels = Tensor({rows}, DType::int32, MemoryKind::data, pool);
  test::fill_uniform(batch.images, static_cast<std::uint64_t>(k));
  for (std::int32_t& label : batch.labels.span<std::int32_t>()) label = static_cast<std::int32_t>(k);
  return batch;
}

TEST(BatchUpload, BatchesArriveInOrderWhileTheOneBeforeIsUsed) {
  Stream& stream = test::stream_under_test();
  BatchUpload upload(stream);
  const test::GuardedTensor sum({3, 4, 4, 1}, DType::fp32);
  std::vector<double> expected(48, 0.0);
  test::overwrite(sum, [](const Tensor& host) { std::memset(host.raw(), 0, host.bytes()); });
  upload.begin(host_batch(0));
  for (std::int64_t k = 0; k < 6; ++k) {
    const data::Batch batch = upload.take();
    EXPECT_EQ(batch.images.device(), stream.device());
    EXPECT_EQ(batch.attempted, k);
    EXPECT_EQ(batch.first_position, 7);
    const std::vector<double> images = test::values_of(host_batch(k).images);
    for (std::size_t i = 0; i < images.size(); ++i) {
      expected[i] = static_cast<float>(expected[i]) + static_cast<float>(images[i]);
    }
    kernels::add(stream, {.left = sum, .right = batch.images, .out = sum});
    upload.begin(host_batch(k + 1));
    EXPECT_EQ(test::value_at(batch.labels, 2), static_cast<double>(k)) << "the next one is elsewhere";
  }
  EXPECT_EQ(test::values_of(sum), expected);
}

TEST(BatchUpload, ABatchOfAnotherShapeHasRoom) {
  BatchUpload upload(test::stream_under_test());
  for (std::int64_t rows : {3, 3, 5, 2}) {
    upload.begin(host_batch(rows, rows));
    const data::Batch batch = upload.take();
    EXPECT_EQ(batch.labels.elements(), rows);
    EXPECT_EQ(test::values_of(batch.images), test::values_of(host_batch(rows, rows).images));
  }
}

TEST(BatchUpload, OneAtATimeIsUnderWay) {
  BatchUpload upload(test::stream_under_test());
  EXPECT_FALSE(upload.has_begun());
  EXPECT_THROW(upload.take(), InvalidArgument);
  upload.begin(host_batch(0));
  EXPECT_TRUE(upload.has_begun());
  EXPECT_THROW(upload.begin(host_batch(1)), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::train
