// SPDX-License-Identifier: Apache-2.0
#include "comm/bucket_exchange.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>

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
  int first = 0;
  for (const Bucket& bucket : buckets) {
    EXPECT_EQ(&bucket, &buckets[bucket.index]);
    EXPECT_EQ(bucket.begin, next);
    EXPECT_EQ(bucket.first, first);
    next += bucket.elements;
    first += bucket.parameters;
  }
  EXPECT_EQ(next, store.elements());
}

class Exchange : public ::testing::TestWithParam<ExchangeTime> {
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
  try {
    for (int index : {0, 1, 2, 3}) exchange.complete(index);
    exchange.finish();
    FAIL() << "no exception";
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "planted");
  }
}

std::string mode_name(const ::testing::TestParamInfo<ExchangeTime>& mode) {
  constexpr std::array<const char*, 3> names{"AtTheEnd", "Thread", "AtOnce"};
  return names[static_cast<std::size_t>(mode.param)];
}
INSTANTIATE_TEST_SUITE_P(, Exchange,
                         ::testing::Values(ExchangeTime::at_end, ExchangeTime::in_own_thread, ExchangeTime::at_once),
                         mode_name);

TEST(BucketExchange, AtOnceExchangesInComplete) {
  ParameterStore store;
  fill(store, {32, 32, 32});
  std::vector<int> exchanged;
  BucketExchange exchange(
      make_buckets(store, 4, 1, 1), [&](const Bucket& bucket) { exchanged.push_back(bucket.index); },
      ExchangeTime::at_once);
  exchange.complete(1);
  EXPECT_TRUE(exchanged.empty());  // all ranks exchange in the same order: the first bucket is not there yet
  exchange.complete(0);
  EXPECT_EQ(exchanged, (std::vector<int>{0, 1}));
}

TEST(BucketExchange, OverlapStartsBeforeTheEnd) {
  ParameterStore store;
  fill(store, {32, 32});
  std::atomic<int> exchanged = 0;
  BucketExchange exchange(
      make_buckets(store, 4, 1, 1), [&](const Bucket&) { ++exchanged; }, ExchangeTime::in_own_thread);
  exchange.complete(0);
  while (exchanged.load() == 0) std::this_thread::yield();  // hangs, and is ended by the time limit, if nothing starts
  EXPECT_EQ(exchanged.load(), 1);
}

}  // namespace
}  // namespace mpdist::comm
