// SPDX-License-Identifier: Apache-2.0
// Runs PTX text and kernels by name, without a CUDA program around them.
#pragma once
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <mutex>
#include <string>
#include <vector>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/ptx/module.hpp"

namespace software_gpu::testing {

using Argument = std::vector<std::byte>;

template <class T>
Argument argument(const T& value) {
  Argument bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// Runs a loaded kernel and waits for it.
inline void run(const std::string& name, dim3 grid, dim3 block, std::size_t dynamic_shared,
                const std::vector<Argument>& arguments) {
  const std::lock_guard lock(mutex());
  const Kernel* kernel = find_kernel(name);
  ASSERT_NE(kernel, nullptr) << name;
  wait(submit(nullptr, name,
              [&](Operation& operation) { run_kernel(operation, *kernel, grid, block, dynamic_shared, arguments); }));
}

/// Device memory of T.
template <class T>
class Array {
 public:
  explicit Array(std::size_t count) : allocation_(make(count)) {}
  explicit Array(const std::vector<T>& values) : Array(values.size()) {
    std::memcpy(allocation_->bytes, values.data(), values.size() * sizeof(T));
    std::memset(allocation_->shadow, kInitialised, values.size() * sizeof(T));
  }
  ~Array() {
    const std::lock_guard lock(mutex());
    if (allocation_->live) release(*allocation_);
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  Allocation& allocation() const { return *allocation_; }
  std::uint64_t address() const { return allocation_->base; }
  Argument argument() const { return testing::argument(address()); }
  /// What stands there, initialised or not.
  const T* data() const { return reinterpret_cast<const T*>(allocation_->bytes); }
  std::vector<T> values() const { return std::vector<T>(data(), data() + allocation_->size / sizeof(T)); }

 private:
  static Allocation* make(std::size_t count) {
    const std::lock_guard lock(mutex());
    return allocate(MemoryKind::device, count * sizeof(T), 0);
  }
  Allocation* allocation_;
};

}  // namespace software_gpu::testing
