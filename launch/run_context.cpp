// SPDX-License-Identifier: Apache-2.0
#include "launch/run_context.hpp"

#include <cstdlib>

#include "launch/machine.hpp"
#include "launch/process.hpp"
#include "launch/versions.hpp"

namespace mpdist::launch {

train::RunContext run_context(std::chrono::steady_clock::time_point started) {
  const char* faults = std::getenv("MPDIST_FAULT");
  return {.stop_requested = stop_requested,
          .faults = faults ? faults : "",
          .machine_cpus = machine_cpus(),
          .device = processor_model(),
          .versions = versions_line(),
          .facts = version_facts(),
          .started = started};
}

}  // namespace mpdist::launch
