// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "src/core/parameters.hpp"

namespace mpdist::comm {

/// A run of whole parameters of the flat arrays that is exchanged at once.
struct Bucket {
  int index = 0;
  std::int64_t begin = 0, elements = 0;
  int first = 0, parameters = 0;  ///< its first one's place in gradient order, and how many
};

/// Cuts the parameters, in gradient order, into buckets: each is closed as soon as it holds `bucket_bytes`, the first
/// one `first_bytes`, so that the exchange starts early. Covers the padding too.
std::vector<Bucket> make_buckets(const ParameterStore& store, std::int64_t element_bytes, std::int64_t first_bytes,
                                 std::int64_t bucket_bytes);

/// When a bucket whose parameters are complete is exchanged.
enum class ExchangeTime : unsigned char {
  at_end,         ///< in finish(): the caller has other work first, and an exchange would keep it waiting
  in_own_thread,  ///< at once, in a thread of its own
  at_once,        ///< in complete(): the exchange is only enqueued
};

/// Runs the exchange of each bucket, in order, once all its parameters are complete. All ranks exchange the same
/// buckets in the same order.
class BucketExchange {
 public:
  BucketExchange(std::vector<Bucket> buckets, std::function<void(const Bucket&)> exchange, ExchangeTime time);
  /// Waits for the bucket under way.
  ~BucketExchange();

  /// Parameter number `index` in gradient order is complete on this rank. Once per step and parameter.
  void complete(int index);
  /// Returns when every bucket has been exchanged; every parameter must be complete. Throws what the exchange threw.
  void finish();
  const std::vector<Bucket>& buckets() const { return buckets_; }

 private:
  void serve();
  void note_ready();

  std::vector<Bucket> buckets_;
  std::function<void(const Bucket&)> exchange_;
  ExchangeTime time_;
  std::vector<int> bucket_of_;  ///< by parameter
  std::vector<int> missing_;    ///< by bucket: parameters not yet complete
  std::size_t complete_ = 0;    ///< leading buckets without missing parameters; of the main thread

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  std::size_t ready_ = 0, done_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace mpdist::comm
