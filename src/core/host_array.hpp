// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <type_traits>

#include "src/core/stream.hpp"

namespace mpdist {

/// Small results of kernels on the host: `size` values that kernels of the stream write and the host reads after
/// synchronize() (on the CPU at once). On a GPU it is pinned memory, written in place. Kernels take `data()`.
template <class T>
class HostArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// `pool`: that of the stream.
  HostArray(Pool& pool, std::int64_t size, T value = {})
      : block_(pool.host_side().allocate(static_cast<std::size_t>(size) * sizeof(T), MemoryKind::workspace)),
        size_(size) {
    for (T& element : *this) element = value;
  }
  HostArray(const Stream& stream, std::int64_t size, T value = {}) : HostArray(stream.pool(), size, value) {}

  T* data() const { return static_cast<T*>(block_.get()->data); }
  std::int64_t size() const { return size_; }
  T& operator[](std::int64_t i) const { return data()[i]; }
  T& operator*() const { return *data(); }
  T* operator->() const { return data(); }
  T* begin() const { return data(); }
  T* end() const { return data() + size_; }

 private:
  BlockRef block_;
  std::int64_t size_;
};

/// One value.
template <class T>
class HostValue : public HostArray<T> {
 public:
  explicit HostValue(Pool& pool, T value = {}) : HostArray<T>(pool, 1, value) {}
  explicit HostValue(const Stream& stream, T value = {}) : HostArray<T>(stream, 1, value) {}
};

}  // namespace mpdist
