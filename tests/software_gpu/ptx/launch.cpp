// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/launch.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/statistics.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/module.hpp"

namespace software_gpu::ptx {
namespace {

/// Pages of earlier launches: to allocate them each time costs more than to fill them.
std::vector<std::unique_ptr<Cells>>& spare_pages() {
  static auto* const pages = new std::vector<std::unique_ptr<Cells>>;  // launches may run while the process ends
  return *pages;
}

}  // namespace

Region::Region(Allocation& owner, const Footprint& marks)
    : allocation(&owner),
      footprint(marks),
      begin(owner.base),
      end(owner.base + owner.size),
      pages((owner.size >> kPageShift) + 1) {}

Region::~Region() {
  for (const std::size_t i : used_) spare_pages().push_back(std::move(pages[i]));
}

void Region::forget() {
  for (const std::size_t i : used_) pages[i]->reset(std::size_t{1} << kPageShift);
}

Cells& Region::add_page(std::size_t offset) {
  auto& page = pages[offset >> kPageShift];
  if (spare_pages().empty()) {
    page = std::make_unique<Cells>();
  } else {
    page = std::move(spare_pages().back());
    spare_pages().pop_back();
  }
  page->reset(std::size_t{1} << kPageShift);
  used_.push_back(offset >> kPageShift);
  return *page;
}

Launch::Launch(Operation& owner, const Kernel& code, dim3 grid_size, dim3 block_size, std::size_t dynamic,
               const std::vector<std::vector<std::byte>>& arguments)
    : operation(owner),
      kernel(code),
      grid(grid_size),
      block(block_size),
      threads(std::size_t{block_size.x} * block_size.y * block_size.z),
      shared_bytes(code.shared_bytes + dynamic),
      dynamic_shared_bytes(dynamic),
      parameters(code.parameter_bytes),
      generator(random()) {
  if (threads == 0 || threads > 1024) unsupported("a block of " + std::to_string(threads) + " threads");
  if (arguments.size() != code.parameters.size()) unsupported("number of arguments of " + code.name);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const KernelParameter& parameter = code.parameters[i];
    std::memcpy(parameters.data() + parameter.offset, arguments[i].data(),
                std::min(arguments[i].size(), parameter.bytes));
  }
}

void Launch::run() {
  std::vector<std::uint32_t> order(std::size_t{grid.x} * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), generator);
  Block runner(*this);
  std::uint32_t number = 0;
  for (const std::uint32_t index : order) {
    if (intervals.nearly_full()) restart_intervals();
    runner.run(dim3(index % grid.x, index / grid.x % grid.y, index / grid.x / grid.y), ++number);
  }
}

void Launch::restart_intervals() {
  intervals.restart();
  for (const auto& region : regions_) {
    region->forget();
  }
}

void Launch::report(std::string_view kind, const Warp& warp, int lane, const std::string& more) {
  if (!told_.emplace(warp.pc, kind).second) return;
  const Origin& origin = kernel.origins[warp.pc];
  const dim3& at = warp.block.position;
  const auto number = [](unsigned value) { return std::to_string(value); };
  std::string what = kernel.label + ", block (" + number(at.x) + ", " + number(at.y) + ", " + number(at.z) +
                     ") thread " + std::to_string(warp.index * kLanes + lane);
  if (!origin.source.empty()) what += ", " + origin.source;
  what += ", PTX line " + std::to_string(origin.line) + ": " + origin.text;
  if (!more.empty()) what += " " + more;
  software_gpu::report(kind, what);
}

Region* Launch::find_region(const Warp& warp, int lane, std::uint64_t address, std::size_t bytes) {
  const auto fits = [&](const Region& region) { return address >= region.begin && address < region.end; };
  if (last_ == nullptr || !fits(*last_)) {
    const auto known =
        std::find_if(regions_.begin(), regions_.end(), [&](const auto& region) { return fits(*region); });
    if (known != regions_.end()) {
      last_ = known->get();
    } else {
      const void* p = reinterpret_cast<const void*>(address);
      Allocation* allocation = find_allocation(p);
      if (allocation == nullptr) {
        report(is_device_address(p) ? "out-of-bounds" : "illegal-address", warp, lane,
               "address " + hexadecimal(p) + " is in no allocation");
        return nullptr;
      }
      if (!operation.may_access(*allocation, p, kernel.label)) return nullptr;
      regions_.push_back(std::make_unique<Region>(*allocation, operation.footprint(*allocation)));
      last_ = regions_.back().get();
    }
  }
  if (address + bytes > last_->end) {
    report("out-of-bounds", warp, lane, "runs past " + last_->allocation->describe());
    return nullptr;
  }
  return last_;
}

}  // namespace software_gpu::ptx

namespace software_gpu {
namespace {
std::uint64_t executed = 0;
}

std::uint64_t executed_warp_instructions() {
  return executed;
}

void run_kernel(Operation& operation, const Kernel& kernel, dim3 grid, dim3 block, std::size_t dynamic_shared,
                const std::vector<std::vector<std::byte>>& arguments) {
  ptx::Launch launch(operation, kernel, grid, block, dynamic_shared, arguments);
  launch.run();
  executed += launch.instructions;
  count("warp instructions of " + kernel.label, launch.instructions);
}

}  // namespace software_gpu
