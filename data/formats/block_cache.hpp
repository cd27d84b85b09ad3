// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <unordered_map>

#include "src/core/tensor.hpp"

namespace mpdist::data {

/// Decoded blocks of a file, at most `capacity` of them; the one that was used longest ago makes room. Threads that
/// want the same block wait for one read of it. Safe from several threads.
class BlockCache {
 public:
  BlockCache(std::size_t capacity, std::function<Tensor(std::int64_t)> load);
  /// Block `index`. What `load` throws is thrown to all who wait; the next call loads again.
  Tensor get(std::int64_t index);
  std::int64_t loads() const;  ///< calls of `load` so far

 private:
  struct Entry {
    std::shared_future<Tensor> block;
    std::uint64_t used = 0;
  };
  Tensor load(std::int64_t index, std::promise<Tensor>& promise);
  void make_room();

  const std::size_t capacity_;
  const std::function<Tensor(std::int64_t)> load_;
  mutable std::mutex mutex_;  ///< guards what follows
  std::unordered_map<std::int64_t, Entry> entries_;
  std::uint64_t clock_ = 0;
  std::int64_t loads_ = 0;
};

}  // namespace mpdist::data
