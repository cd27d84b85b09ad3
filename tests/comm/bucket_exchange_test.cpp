// SPDX-License-Identifier: Apache-2.0
#include "comm/bucket_exchange.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace mpdist::comm {
namespace {

/// A store of parameters with these element counts, in gradient order.
void fill(ParameterStore& store, const std::vector<std::int64_t>& elements) {
  for (std::size_t i = elements.size(); i-- > 0;) {
    store.add("p" + std::to_string(i), "weight", Shape{elements[i]}, ParameterRole::weight, Initializer::zeros);
  }
  store.finalize(DType::fp32, 1);
}

TEST(Buckets, FirstIsSmallTheRestFillUpAndAllIsCovered) {
  ParameterStore store;
  fill(store, {64, 64, 64, 64, 640, 64});
  const std::vector<Bucket> buckets = make_buckets(store, 4, 128 * 4, 256 * 4);
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0].parameters, 2);
  EXPECT_EQ(buckets[1].parameters, 3);
  EXPECT_EQ(buckets[2].parameters, 1);
  std::int64_t next = 0;
  for (const Bucket& bucket : buckets) {
    EXPECT_EQ(bucket.begin, next);
    next += bucket.elements;
  }
  EXPECT_EQ(next, store.elements());
}

class Exchange : public ::testing::TestWithParam<bool> {
 protected:
  Exchange() { fill(store_, {32, 32, 32, 32}); }
  std::vector<Bucket> buckets() const { return make_buckets(store_, 4, 1, 1); }
  ParameterStore store_;
};

TEST_P(Exchange, RunsEachBucketOnceInOrderWhateverTheOrderOfParameters) {
  std::vector<std::int64_t> begins;
  BucketExchange exchange(
      buckets(), [&](const Bucket& bucket) { begins.push_back(bucket.begin); }, GetParam());
  for (int step = 0; step < 50; ++step) {
    begins.clear();
    for (int index : {2, 0, 3, 1}) exchange.complete(index);
    exchange.finish();
    ASSERT_EQ(begins, (std::vector<std::int64_t>{0, 32, 64, 96}));
  }
}

TEST_P(Exchange, UnfinishedParametersAreADefect) {
  BucketExchange exchange(
      buckets(), [](const Bucket&) {}, GetParam());
  exchange.complete(0);
  EXPECT_THROW(exchange.finish(), InvalidArgument);
}

TEST_P(Exchange, ThrowsWhatTheExchangeThrewInTheMainThread) {
  BucketExchange exchange(
      buckets(), [](const Bucket& b) { require(b.begin < 64, "planted"); }, GetParam());
  for (int index : {0, 1, 2, 3}) exchange.complete(index);
  try {
    exchange.finish();
    FAIL() << "no exception";
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "planted");
  }
}

INSTANTIATE_TEST_SUITE_P(, Exchange, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "Thread" : "AtTheEnd"; });

TEST(BucketExchange, OverlapStartsBeforeTheEnd) {
  ParameterStore store;
  fill(store, {32, 32});
  std::atomic<int> exchanged = 0;
  BucketExchange exchange(
      make_buckets(store, 4, 1, 1), [&](const Bucket&) { ++exchanged; }, true);
  exchange.complete(0);
  while (exchanged.load() == 0) std::this_thread::yield();  // hangs, and is ended by the time limit, if nothing starts
  EXPECT_EQ(exchanged.load(), 1);
}

}  // namespace
}  // namespace mpdist::comm
