// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "tests/software_gpu/core/host_access.hpp"
#include "tests/software_gpu/core/races.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"

namespace software_gpu {
namespace {

constexpr std::size_t kWindow = std::size_t{1} << 40;  // address range of one device; never mapped for the host
constexpr std::size_t kAlignment = 512;                // of the start of an allocation's room
constexpr std::size_t kGap = std::size_t{1} << 16;     // and at least its own size: what runs over its end hits nothing
constexpr std::size_t kPage = 4096;

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// The addresses of one device, and what the program holds of its memory.
struct Window {
  std::uintptr_t begin = 0;
  std::size_t top = 0;
  std::size_t used = 0, peak = 0;
};

struct Memory {
  std::map<std::uintptr_t, std::unique_ptr<Allocation>> allocations;  // by base; freed ones stay
  std::vector<Window> windows;                                        // by device
  std::uint64_t last_id = 0;
};

Memory& memory() {
  static auto* const kMemory = new Memory;
  return *kMemory;
}

void* map(void* where, std::size_t bytes, int protection, int flags, int file = -1) {
  void* const p = mmap(where, bytes, protection, flags, file, 0);
  if (p == MAP_FAILED) unsupported("no address space for " + std::to_string(bytes) + " bytes");
  return p;
}

Window& window(int device) {
  auto& windows = memory().windows;
  const auto index = static_cast<std::size_t>(device);
  if (windows.size() <= index) windows.resize(index + 1);
  Window& w = windows[index];
  if (w.begin == 0) {
    void* const p = map(nullptr, kWindow, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    w.begin = reinterpret_cast<std::uintptr_t>(p);
    watch_host_accesses();
  }
  return w;
}

/// A fresh address of the device: aligned to 256 bytes, as CUDA promises, and to no more.
std::uintptr_t device_address(Window& w, std::size_t bytes) {
  const std::size_t begin = w.top + kAlignment / 2;
  const std::size_t room = round_up(2 * bytes + kGap, kAlignment);
  if (bytes > kWindow / 4 || w.top + room > kWindow) unsupported("the addresses of a device are used up");
  w.top += room;
  return w.begin + begin;
}

/// The three arrays of an allocation in one mapping, that of the bytes elsewhere for pinned memory.
std::size_t shadow_bytes(std::size_t size) {
  return round_up(size, kPage);
}
std::size_t dirty_bytes(std::size_t size) {
  return round_up((size >> kDirtyShift) + 1, kPage);
}

void map_shadow(Allocation& a) {
  const std::size_t shadow = shadow_bytes(a.size);
  void* const p =
      map(nullptr, shadow + dirty_bytes(a.size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  a.shadow = static_cast<std::uint8_t*>(p);
  a.dirty = a.shadow + shadow;
  if (a.kind != MemoryKind::device) std::memset(a.shadow, kInitialised, a.size);
}

void map_device_bytes(Allocation& a) {
  a.base = device_address(window(a.device), a.size);
  a.bytes = static_cast<std::byte*>(
      map(nullptr, shadow_bytes(a.size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
}

/// Two views of the same bytes: the program's, whose pages can be closed while a copy uses them, and ours.
void map_pinned_bytes(Allocation& a) {
  const std::size_t bytes = shadow_bytes(a.size);
  const int file = memfd_create("software_gpu.pinned", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) unsupported("no memory for a pinned allocation");
  void* const room = map(nullptr, bytes + kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  map(room, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file);  // the page behind it stays closed
  a.base = reinterpret_cast<std::uintptr_t>(room);
  a.bytes = static_cast<std::byte*>(map(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file));
  close(file);
  watch_host_accesses();
}

}  // namespace

Allocation::Allocation() : history(std::make_unique<AccessHistory>()) {}
Allocation::~Allocation() = default;

std::string Allocation::describe() const {
  const std::string where = kind == MemoryKind::pinned   ? "pinned"
                            : kind == MemoryKind::module ? "module variable"
                                                         : "of device " + std::to_string(device);
  return "allocation " + std::to_string(id) + " (" + std::to_string(size) + " bytes, " + where + ")";
}

Allocation* find_allocation(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  auto& all = memory().allocations;
  auto next = all.upper_bound(address);
  if (next == all.begin()) return nullptr;
  Allocation* const a = std::prev(next)->second.get();
  return address - a->base < a->size ? a : nullptr;
}

bool is_device_address(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  const auto& windows = memory().windows;
  return std::any_of(windows.begin(), windows.end(),
                     [&](const Window& w) { return w.begin != 0 && address - w.begin < kWindow; });
}

Allocation* allocate(MemoryKind kind, std::size_t bytes, int device) {
  if (bytes == 0) return nullptr;
  if (kind == MemoryKind::device) {
    Window& w = window(device);
    if (bytes > settings().memory_bytes - w.used) return nullptr;
    w.used += bytes;
    w.peak = std::max(w.peak, w.used);
  }
  auto a = std::make_unique<Allocation>();
  a->id = ++memory().last_id;
  a->size = bytes;
  a->kind = kind;
  a->device = device;
  kind == MemoryKind::pinned ? map_pinned_bytes(*a) : map_device_bytes(*a);
  map_shadow(*a);
  Allocation* const result = a.get();
  memory().allocations.emplace(a->base, std::move(a));
  return result;
}

void release(Allocation& a) {
  const std::size_t bytes = shadow_bytes(a.size);
  if (a.kind == MemoryKind::device) {
    window(a.device).used -= a.size;
  } else {  // the program's view: the address stays ours and faults
    map(reinterpret_cast<void*>(a.base), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED);
  }
  munmap(a.bytes, bytes);
  munmap(a.shadow, bytes + dirty_bytes(a.size));
  a.bytes = nullptr;
  a.shadow = a.dirty = nullptr;
  a.live = false;
  a.history.reset();
}

void poison(Allocation& a, std::size_t offset, std::size_t bytes) {
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    if ((a.shadow[i] & kInitialised) == 0) a.bytes[i] = std::byte{0xFF};
  }
}

MemoryUse memory_use(int device) {
  const auto& windows = memory().windows;
  const auto index = static_cast<std::size_t>(device);
  const Window w = index < windows.size() ? windows[index] : Window{};
  return {w.used, w.peak, settings().memory_bytes};
}

std::vector<std::string> leaked_memory() {
  std::vector<std::string> leaks;
  for (const auto& [base, a] : memory().allocations) {
    if (a->live && a->kind != MemoryKind::module) leaks.push_back(a->describe());
  }
  return leaks;
}

std::string hexadecimal(const void* p) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (auto rest = reinterpret_cast<std::uintptr_t>(p); rest != 0 || text.empty(); rest /= 16)
    text.insert(text.begin(), kDigits[rest % 16]);
  return "0x" + text;
}

}  // namespace software_gpu
