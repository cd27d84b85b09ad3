// SPDX-License-Identifier: Apache-2.0
#include "data/formats/block_cache.hpp"

#include <algorithm>
#include <utility>

namespace mpdist::data {

BlockCache::BlockCache(std::size_t capacity, std::function<Tensor(std::int64_t)> load)
    : capacity_(capacity), load_(std::move(load)) {
  require(capacity >= 1, "a cache of {} blocks", capacity);
}

Tensor BlockCache::get(std::int64_t index) {
  std::unique_lock lock(mutex_);
  const auto found = entries_.find(index);
  if (found != entries_.end()) {
    found->second.used = ++clock_;
    const std::shared_future<Tensor> block = found->second.block;
    lock.unlock();
    return block.get();
  }
  make_room();
  std::promise<Tensor> promise;
  entries_[index] = {.block = promise.get_future().share(), .used = ++clock_};
  ++loads_;
  lock.unlock();
  return load(index, promise);
}

Tensor BlockCache::load(std::int64_t index, std::promise<Tensor>& promise) {
  try {
    Tensor block = load_(index);
    promise.set_value(block);
    return block;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    entries_.erase(index);
    promise.set_exception(std::current_exception());
    throw;
  }
}

void BlockCache::make_room() {
  if (entries_.size() < capacity_) return;
  const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.used; });
  entries_.erase(oldest);
}

std::int64_t BlockCache::loads() const {
  const std::lock_guard lock(mutex_);
  return loads_;
}

}  // namespace mpdist::data
