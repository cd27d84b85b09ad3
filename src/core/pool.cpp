// SPDX-License-Identifier: Apache-2.0
#include "src/core/pool.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <string>

#include "src/core/cuda.hpp"
#include "src/core/error.hpp"

namespace mpdist {
namespace {

constexpr std::size_t kAlignment = 64;

/// Rounds up to a multiple of an eighth of the power of two below: at most 12.5 % is lost, and few distinct sizes
/// exist.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 512) return 512;
  const std::size_t step = std::max<std::size_t>(std::bit_floor(bytes) / 8, kAlignment);
  return (bytes + step - 1) / step * step;
}

/// Null when there is no more.
void* system_allocate(MemorySource source, std::size_t bytes) {
  if (source == MemorySource::host) return std::aligned_alloc(kAlignment, bytes);
  return source == MemorySource::pinned ? cuda::allocate_pinned(bytes) : cuda::allocate(bytes);
}

void system_free(MemorySource source, void* data) {
  if (source == MemorySource::host) return std::free(data);
  source == MemorySource::pinned ? cuda::free_pinned(data) : cuda::free(data);
}

constexpr std::string_view place_of(MemorySource source) {
  return source == MemorySource::cuda ? "GPU memory" : source == MemorySource::pinned ? "pinned memory" : "memory";
}

}  // namespace

std::string_view name_of(MemoryKind kind) {
  constexpr std::array<std::string_view, kMemoryKinds> names = {"parameters", "optimizer", "gradients", "activations",
                                                                "workspace",  "data",      "checkpoint"};
  return names[static_cast<std::size_t>(kind)];
}

BlockRef::BlockRef(Block* block) : block_(block) {
  if (block_) std::atomic_ref(block_->users).fetch_add(1, std::memory_order_relaxed);
}

BlockRef::BlockRef(const BlockRef& other) : BlockRef(other.block_) {}

BlockRef::~BlockRef() {
  if (block_ && std::atomic_ref(block_->users).fetch_sub(1, std::memory_order_acq_rel) == 1)
    block_->pool->release(block_);
}

Pool& Pool::host() {
  static Pool* pool = new Pool;  // never destroyed: tensors may outlive any static order
  return *pool;
}

Pool& Pool::pinned() {
  static Pool* pool = new Pool(MemorySource::pinned);
  return *pool;
}

Pool& Pool::cuda() {
  static Pool* pool = new Pool(MemorySource::cuda);
  return *pool;
}

Pool::~Pool() {
  for (Block* block : blocks_) {
    system_free(source_, block->data);
    delete block;
  }
}

/// " parameters 12 MiB optimizer 24 MiB ..."
std::string Pool::held() const {
  std::string text;
  for (int k = 0; k < kMemoryKinds; ++k) {
    text += fmt::format(" {} {} MiB", name_of(static_cast<MemoryKind>(k)), use_.now[k] >> 20);
  }
  return text;
}

void Pool::free_unused() {
  for (auto& [size, blocks] : free_) {
    for (Block* block : blocks) {
      system_free(source_, block->data);
      std::erase(blocks_, block);
      delete block;
      use_.reserved -= static_cast<std::int64_t>(size);
    }
    blocks.clear();
  }
}

void Pool::trim() {
  std::lock_guard lock(mutex_);
  free_unused();
}

/// From the system; null when it has no more, though unused blocks were given back.
Block* Pool::new_block(std::size_t size) {
  const std::size_t bytes = (size + kAlignment - 1) / kAlignment * kAlignment;
  void* data = system_allocate(source_, bytes);
  if (!data) {
    free_unused();
    data = system_allocate(source_, bytes);
  }
  if (!data) return nullptr;
  auto* block = new Block{.data = data, .size = size, .pool = this};
  blocks_.push_back(block);
  std::vector<Block*>& free = free_[size];
  free.reserve(free.capacity() + 1);  // room for every block of its class: release() runs in destructors
  use_.reserved += static_cast<std::int64_t>(size);
  ++use_.system_allocations;
  return block;
}

BlockRef Pool::allocate(std::size_t bytes, MemoryKind kind) {
  const std::size_t size = size_class(bytes);
  std::lock_guard lock(mutex_);
  Block* block = nullptr;
  if (auto found = free_.find(size); found != free_.end() && !found->second.empty()) {
    block = found->second.back();
    found->second.pop_back();
  } else {
    block = new_block(size);
  }
  if (!block) {
    throw Error(ExitCode::internal,
                fmt::format("out of {}: {} MiB asked for {}; held:{}; lower batch.global or raise batch.shards or the "
                            "number of nodes",
                            place_of(source_), size >> 20, name_of(kind), held()));
  }
  block->bytes = bytes;
  block->kind = kind;
  const auto k = static_cast<std::size_t>(kind);
  use_.now[k] += static_cast<std::int64_t>(bytes);
  use_.peak[k] = std::max(use_.peak[k], use_.now[k]);
  return BlockRef(block);
}

void Pool::release(Block* block) {
  std::lock_guard lock(mutex_);
  use_.now[static_cast<std::size_t>(block->kind)] -= static_cast<std::int64_t>(block->bytes);
  free_[block->size].push_back(block);
}

MemoryUse Pool::use() const {
  std::lock_guard lock(mutex_);
  return use_;
}

void Pool::count_external(std::int64_t bytes, MemoryKind kind) {
  std::lock_guard lock(mutex_);
  const auto k = static_cast<std::size_t>(kind);
  use_.now[k] += bytes;
  use_.peak[k] = std::max(use_.peak[k], use_.now[k]);
}

void Pool::reset_peaks() {
  std::lock_guard lock(mutex_);
  use_.peak = use_.now;
}

}  // namespace mpdist
