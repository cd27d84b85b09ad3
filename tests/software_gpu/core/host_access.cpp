// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/host_access.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu {
namespace {

constexpr std::uintptr_t kPage = 4096;

/// Pages [begin, end) of the program's view of a pinned allocation, closed to the host.
struct ClosedPages {
  const Allocation* allocation;
  std::uintptr_t begin, end;
  InFlight use;
  EpochPtr operation;
};
std::vector<ClosedPages>& closed_pages() {
  static auto* const kClosed = new std::vector<ClosedPages>;
  return *kClosed;
}

struct sigaction previous_action;

std::string text_of_fault(const void* p, std::string_view& kind) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  const Allocation* const a = find_allocation(p);
  const std::string where = a != nullptr ? " in " + a->describe() : " in no allocation";
  kind = "host-access";
  if (is_device_address(p)) return "the host touched device address " + hexadecimal(p) + where;
  if (a == nullptr) return "";
  kind = "use-after-free";
  if (!a->live) return "the host touched " + hexadecimal(p) + where;
  for (const ClosedPages& closed : closed_pages()) {
    if (address < closed.begin || address >= closed.end) continue;
    kind = "missing-wait";
    const char* const use = closed.use == InFlight::read_by_device ? "wrote what " : "touched what ";
    return "the host " + std::string(use) + closed.operation->who + " may still " +
           (closed.use == InFlight::read_by_device ? "read" : "write") + ": " + hexadecimal(p) + where;
  }
  return "";
}

/// Runs in the signal handler, but the signal is one that this thread's own instruction raised outside of our code.
void on_fault(int signal, siginfo_t* information, void*) {
  std::string_view kind;
  const std::string what = text_of_fault(information->si_addr, kind);
  if (!what.empty()) stop(Status::host_touched_device, kind, what);
  sigaction(signal, &previous_action, nullptr);  // not ours: fault again under whoever was there before
}

int protection_of(std::uintptr_t page) {
  int protection = PROT_READ | PROT_WRITE;
  for (const ClosedPages& closed : closed_pages()) {
    if (page < closed.begin || page >= closed.end) continue;
    protection &= closed.use == InFlight::read_by_device ? PROT_READ : PROT_NONE;
  }
  return protection;
}

void apply_protection(std::uintptr_t begin, std::uintptr_t end) {
  while (begin < end) {
    const int protection = protection_of(begin);
    std::uintptr_t same = begin + kPage;
    while (same < end && protection_of(same) == protection) same += kPage;
    mprotect(reinterpret_cast<void*>(begin), same - begin, protection);
    begin = same;
  }
}

}  // namespace

void watch_host_accesses() {
  static bool watching = false;
  if (watching) return;
  watching = true;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &previous_action);
}

void begin_in_flight(Allocation& pinned, std::size_t offset, std::size_t bytes, InFlight use,
                     const EpochPtr& operation) {
  const bool whole = offset == 0 && bytes == pinned.size;
  const std::uintptr_t first = pinned.base + offset, last = first + bytes;
  const std::uintptr_t begin = (first + kPage - 1) / kPage * kPage;
  const std::uintptr_t end = (whole ? last + kPage - 1 : last) / kPage * kPage;
  if (begin >= end) return;
  closed_pages().push_back({&pinned, begin, end, use, operation});
  apply_protection(begin, end);
}

void end_in_flight(const Clock& host) {
  auto& all = closed_pages();
  const auto open =
      std::stable_partition(all.begin(), all.end(), [&](const auto& c) { return !c.operation->before(host); });
  const std::vector<ClosedPages> opened(open, all.end());
  all.erase(open, all.end());
  for (const ClosedPages& pages : opened) {
    if (pages.allocation->live) apply_protection(pages.begin, pages.end);
  }
}

}  // namespace software_gpu
