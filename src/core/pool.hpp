// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/device.hpp"

namespace mpdist {

class Pool;

/// What memory is for: peaks are reported by kind, so that "half the activations" is a measured number.
enum class MemoryKind : unsigned char { parameters, optimizer, gradients, activations, workspace, data, checkpoint };
inline constexpr int kMemoryKinds = 7;
std::string_view name_of(MemoryKind kind);

/// One block of pooled memory with an intrusive count of its users. Made by Pool only.
struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;  ///< asked for
  std::size_t size = 0;   ///< held, rounded up to the pool's size class
  MemoryKind kind = MemoryKind::workspace;
  Pool* pool = nullptr;
  int users = 0;  ///< atomic access through std::atomic_ref
};

/// Shared ownership of a Block; the last one hands it back to its pool. Copying allocates nothing.
class BlockRef {
 public:
  BlockRef() = default;
  explicit BlockRef(Block* block);
  BlockRef(const BlockRef& other);
  BlockRef(BlockRef&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef();
  Block* get() const { return block_; }

 private:
  Block* block_ = nullptr;
};

/// Bytes in use now and at most, as asked for (not rounded), and bytes the pool holds from the system.
struct MemoryUse {
  std::array<std::int64_t, kMemoryKinds> now{};
  std::array<std::int64_t, kMemoryKinds> peak{};
  std::int64_t reserved = 0;
  std::int64_t system_allocations = 0;  ///< constant once a training loop has reached its steady state
};

/// Where a pool's memory comes from. `pinned` is host memory that the GPU reads and writes too (page-locked, mapped);
/// `cuda` is memory of the device in use.
enum class MemorySource : unsigned char { host, pinned, cuda };

/// Caching allocator: blocks go back to a free list by size class (next multiple of 1/8 of a power of two) and are
/// reused, so a steady training loop asks the system for nothing. Memory is 64-byte aligned and not initialised. Safe
/// to call from any thread. A block that goes back is reused at once: on a GPU, whoever frees it has enqueued its last
/// use on the stream that will use it next, or has waited for that use.
class Pool {
 public:
  explicit Pool(MemorySource source = MemorySource::host) : source_(source) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// When the system has no more, trims first; then throws Error (exit 1) naming what was asked, what is held by kind,
  /// and what to lower.
  BlockRef allocate(std::size_t bytes, MemoryKind kind);
  MemoryUse use() const;
  void reset_peaks();
  /// Counts memory that came from elsewhere (a window shared by ranks) as `bytes` more, or fewer, in use.
  void count_external(std::int64_t bytes, MemoryKind kind);
  Device device() const { return source_ == MemorySource::cuda ? Device::cuda : Device::cpu; }
  /// Host memory that kernels on this pool's memory read and write too: pinned for a GPU, else this pool.
  Pool& host_side() { return source_ == MemorySource::cuda ? pinned() : *this; }
  /// Hands blocks that nobody uses back to the system; on a GPU it waits for the device.
  void trim();

  /// The process's pools. They live until the process ends. pinned() and cuda() need a device in use (cuda.hpp).
  static Pool& host();
  static Pool& pinned();
  static Pool& cuda();

 private:
  friend class BlockRef;
  void release(Block* block);
  Block* new_block(std::size_t size);
  void free_unused();
  std::string held() const;

  MemorySource source_;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<Block*>> free_;  ///< by size class
  std::vector<Block*> blocks_;
  MemoryUse use_;
};

}  // namespace mpdist
