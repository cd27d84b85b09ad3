// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/operation.hpp"

#include <algorithm>
#include <cstring>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu {
namespace {

/// What is not a live allocation, in words, and its kind.
void report_no_memory(const Operation& operation, const Allocation* a, const void* p, std::string_view what) {
  const std::string access = operation.name() + " " + std::string(what) + " " + hexadecimal(p);
  if (a != nullptr && a->freed_after >= operation.id())
    return report("early-free", access + " in " + a->describe() + ", which was freed without waiting for it");
  if (a != nullptr) return report("use-after-free", access + " in " + a->describe());
  if (is_device_address(p)) return report("out-of-bounds", access + ", which is in no allocation");
  report("illegal-address", access + ", which is neither device nor pinned memory");
}

/// The shadow of a byte that read or write returned; null when it is scratch.
std::uint8_t* shadow_of(const Allocation* a, const std::byte* p) {
  if (a == nullptr || !a->live || p < a->bytes || p >= a->bytes + a->size) return nullptr;
  return a->shadow + (p - a->bytes);
}

bool all_initialised(const std::uint8_t* shadow, std::size_t bytes) {
  std::uint8_t all = kInitialised;
  for (std::size_t i = 0; i < bytes; ++i) all &= shadow[i];
  return all != 0;
}

}  // namespace

bool Operation::may_access(const Allocation& a, const void* p, std::string_view what) {
  if (!a.live) {
    report_no_memory(*this, &a, p, what);
    return false;
  }
  if (a.kind == MemoryKind::device && a.device != device_) {
    report("illegal-address", name() + " of device " + std::to_string(device_) + " " + std::string(what) + " " +
                                  hexadecimal(p) + " in " + a.describe());
    return false;
  }
  return true;
}

Allocation* Operation::check(const void* p, std::size_t bytes, std::string_view what) {
  Allocation* const a = find_allocation(p);
  if (a == nullptr) {
    report_no_memory(*this, a, p, what);
    return nullptr;
  }
  if (!may_access(*a, p, what)) return nullptr;
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(p) - a->base;
  if (bytes > a->size - offset) {
    report("out-of-bounds", name() + " " + std::string(what) + " " + std::to_string(bytes) + " bytes at offset " +
                                std::to_string(offset) + " of " + a->describe());
    return nullptr;
  }
  remember(*a);
  return a;
}

void Operation::remember(Allocation& a) {
  if (std::find(touched_.begin(), touched_.end(), &a) == touched_.end()) touched_.push_back(&a);
}

std::byte* Operation::scratch(std::size_t bytes) {
  scratch_.emplace_back(std::max<std::size_t>(bytes, 1));
  return scratch_.back().data();
}

const std::byte* Operation::read(const void* p, std::size_t bytes, bool must_be_initialised) {
  Allocation* const a = bytes != 0 ? check(p, bytes, "reads") : nullptr;
  if (a == nullptr) return scratch(bytes);
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(p) - a->base;
  if (!Footprint(*a).mark_read(offset, bytes)) {
    poison(*a, offset, bytes);
    if (must_be_initialised) {
      const auto* const first = std::find_if(a->shadow + offset, a->shadow + offset + bytes,
                                             [](std::uint8_t s) { return (s & kInitialised) == 0; });
      report("uninitialised-read", name() + " reads byte " + std::to_string(first - a->shadow) + " of " +
                                       a->describe() + ", which nothing has written");
    }
  }
  return a->bytes + offset;
}

std::byte* Operation::write(void* p, std::size_t bytes) {
  Allocation* const a = bytes != 0 ? check(p, bytes, "writes") : nullptr;
  if (a == nullptr) return scratch(bytes);
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(p) - a->base;
  Footprint(*a).mark_written(offset, bytes);
  return a->bytes + offset;
}

void Operation::copy(void* to, const void* from, std::size_t bytes) {
  Allocation* const target = find_allocation(to);
  Allocation* const source = find_allocation(from);
  const bool to_device = target != nullptr && target->kind != MemoryKind::pinned;
  const std::byte* const in = read(from, bytes, !to_device);
  const std::uint8_t* const in_shadow = shadow_of(source, in);
  std::vector<std::uint8_t> before;
  if (to_device && in_shadow != nullptr && !all_initialised(in_shadow, bytes))
    before.assign(in_shadow, in_shadow + bytes);
  std::byte* const out = write(to, bytes);
  std::memmove(out, in, bytes);
  std::uint8_t* const out_shadow = shadow_of(target, out);
  if (before.empty() || out_shadow == nullptr) return;
  for (std::size_t i = 0; i < bytes; ++i) {
    if ((before[i] & kInitialised) == 0) out_shadow[i] &= static_cast<std::uint8_t>(~kInitialised);
  }
}

Footprint Operation::footprint(Allocation& a) {
  remember(a);
  return Footprint(a);
}

}  // namespace software_gpu
