// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "src/core/pool.hpp"

namespace mpdist {

/// An ordered queue of kernels with one workspace. On the CPU a kernel has finished when its call returns. One thread
/// at a time.
class Stream {
 public:
  explicit Stream(Pool& pool = Pool::host()) : pool_(&pool) {}

  Device device() const { return pool_->device(); }
  Pool& pool() const { return *pool_; }

  /// Scratch memory of at least `bytes`, 64-byte aligned, valid until the next call on this stream. Grows, never
  /// shrinks.
  void* workspace(std::size_t bytes) {
    if (!block_.get() || block_.get()->bytes < bytes) {
      block_ = BlockRef();
      block_ = pool_->allocate(bytes, MemoryKind::workspace);
    }
    return block_.get()->data;
  }

 private:
  Pool* pool_;
  BlockRef block_;
};

}  // namespace mpdist
