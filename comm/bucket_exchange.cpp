// SPDX-License-Identifier: Apache-2.0
#include "comm/bucket_exchange.hpp"

#include <utility>

namespace mpdist::comm {

std::vector<Bucket> make_buckets(const ParameterStore& store, std::int64_t element_bytes, std::int64_t first_bytes,
                                 std::int64_t bucket_bytes) {
  const auto parameters = store.trainable_parameters();
  std::vector<Bucket> buckets;
  Bucket open;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool last = i + 1 == parameters.size();
    const std::int64_t end = last ? store.trainable_elements() : parameters[i + 1]->offset;
    open.elements = end - open.begin;
    ++open.parameters;
    if (last || open.elements * element_bytes >= (buckets.empty() ? first_bytes : bucket_bytes)) {
      buckets.push_back(open);
      open = {.index = open.index + 1, .begin = end, .first = static_cast<int>(i) + 1};
    }
  }
  return buckets;
}

BucketExchange::BucketExchange(std::vector<Bucket> buckets, std::function<void(const Bucket&)> exchange,
                               ExchangeTime time)
    : buckets_(std::move(buckets)), exchange_(std::move(exchange)), time_(time) {
  for (const Bucket& bucket : buckets_) {
    bucket_of_.insert(bucket_of_.end(), static_cast<std::size_t>(bucket.parameters), bucket.index);
    missing_.push_back(bucket.parameters);
  }
  if (time_ == ExchangeTime::in_own_thread) thread_ = std::thread([this] { serve(); });
}

BucketExchange::~BucketExchange() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BucketExchange::complete(int index) {
  --missing_[bucket_of_[index]];
  note_ready();
}

void BucketExchange::note_ready() {
  const std::size_t before = complete_;
  while (complete_ < buckets_.size() && missing_[complete_] == 0) ++complete_;
  if (complete_ == before || time_ == ExchangeTime::at_end) return;
  if (time_ == ExchangeTime::at_once) {
    for (std::size_t i = before; i < complete_; ++i) exchange_(buckets_[i]);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ready_ = complete_;
  }
  changed_.notify_all();
}

void BucketExchange::finish() {
  require(complete_ == buckets_.size(), "bucket exchange: {} of {} buckets complete", complete_, buckets_.size());
  if (time_ == ExchangeTime::in_own_thread) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failure_ || done_ == buckets_.size(); });
    if (failure_) std::rethrow_exception(failure_);
    ready_ = done_ = 0;
  } else if (time_ == ExchangeTime::at_end) {
    for (const Bucket& bucket : buckets_) exchange_(bucket);
  }
  complete_ = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) missing_[i] = buckets_[i].parameters;
}

/// The communication thread. A failure is kept for finish(): the main thread throws it, this one ends.
void BucketExchange::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || done_ < ready_; });
    if (stop_) return;
    const std::size_t next = done_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      exchange_(buckets_[next]);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    ++done_;
    failure_ = failure;
    changed_.notify_all();
    if (failure_) return;
  }
}

}  // namespace mpdist::comm
