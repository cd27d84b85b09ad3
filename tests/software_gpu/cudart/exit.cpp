// SPDX-License-Identifier: Apache-2.0
// The last word. The handler is registered when the library is loaded, so it runs after the program's own.
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/statistics.hpp"
#include "tests/software_gpu/cudart/api.hpp"
#include "tests/software_gpu/cudart/event.hpp"

namespace software_gpu {
namespace {

void report_leaks() {
  for (const std::string& what : leaked_memory()) report("leak", what);
  std::size_t streams = 0;
  for (const auto& stream : Scheduler::instance().streams()) streams += !stream->legacy && !stream->destroyed;
  if (streams != 0) report("leak", std::to_string(streams) + " stream(s)");
  if (const std::size_t events = leaked_events(); events != 0) report("leak", std::to_string(events) + " event(s)");
}

void count_memory() {
  for (std::size_t i = 0; i < settings().devices.size(); ++i) {
    const MemoryUse use = memory_use(static_cast<int>(i));
    if (use.peak != 0) count("peak bytes of device " + std::to_string(i), use.peak);
  }
}

/// A program that failed has its own reasons not to have cleaned up, or waited. The lock is never given back, so that
/// nothing runs in the background while the process ends.
void at_exit(int status, void*) {
  mutex().lock();
  if (status == EXIT_SUCCESS && device_error() == cudaSuccess) {
    while (Scheduler::instance().advance_any()) continue;  // what nobody waited for is checked all the same
    if (settings().leaks) report_leaks();
  }
  count_memory();
  print_statistics();
  if (report_count() == 0) return;
  note(std::to_string(report_count()) + " defect(s) reported");
  std::fflush(nullptr);
  _exit(static_cast<int>(Status::defect));
}

__attribute__((constructor)) void register_exit_handler() {
  on_exit(at_exit, nullptr);
}

}  // namespace
}  // namespace software_gpu
