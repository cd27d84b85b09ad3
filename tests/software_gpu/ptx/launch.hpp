// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/software_gpu/core/operation.hpp"
#include "tests/software_gpu/ptx/kernel.hpp"
#include "tests/software_gpu/ptx/races.hpp"

namespace software_gpu::ptx {

class Warp;

/// An allocation that a launch has touched, with the stamps of its pages.
struct Region {
  static constexpr int kPageShift = 12;

  Region(Allocation& allocation, const Footprint& marks);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Allocation* allocation;
  Footprint footprint;
  std::uint64_t begin, end;
  std::vector<std::unique_ptr<Cells>> pages;

  Cells& page(std::size_t offset) {
    auto& page = pages[offset >> kPageShift];
    return page != nullptr ? *page : add_page(offset);
  }
  /// Nobody has touched anything.
  void forget();

 private:
  Cells& add_page(std::size_t offset);
  std::vector<std::size_t> used_;  ///< indices in pages
};

/// One launch of a kernel: what all its blocks share.
class Launch {
 public:
  Launch(Operation& owner, const Kernel& code, dim3 grid_size, dim3 block_size, std::size_t dynamic,
         const std::vector<std::vector<std::byte>>& arguments);

  void run();

  /// Reports a defect at the instruction that the warp executes, once for each instruction and kind.
  void report(std::string_view kind, const Warp& warp, int lane, const std::string& more = {});
  /// The allocation in which [address, address + bytes) lies, or null after a report.
  Region* find_region(const Warp& warp, int lane, std::uint64_t address, std::size_t bytes);
  void restart_intervals();

  Operation& operation;
  const Kernel& kernel;
  dim3 grid, block;
  std::size_t threads;  ///< a block
  std::size_t shared_bytes;
  std::size_t dynamic_shared_bytes;
  std::vector<std::byte> parameters;
  Intervals intervals;
  std::uint64_t instructions = 0;  ///< of warps
  std::mt19937_64& generator;

 private:
  std::vector<std::unique_ptr<Region>> regions_;
  Region* last_ = nullptr;
  std::set<std::pair<std::uint32_t, std::string_view>> told_;
};

}  // namespace software_gpu::ptx
