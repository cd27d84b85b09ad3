// SPDX-License-Identifier: Apache-2.0
#include "launch/run_context.hpp"

#include <cstdlib>
#include <utility>
#include <vector>

#include "launch/machine.hpp"
#include "launch/process.hpp"
#include "launch/versions.hpp"

namespace mpdist::launch {

train::RunContext run_context(std::chrono::steady_clock::time_point started, const train::ComputeDevice& device) {
  const char* faults = std::getenv("MPDIST_FAULT");
  std::vector<train::Fact> facts = version_facts();
  facts.insert(facts.end(), device.facts().begin(), device.facts().end());
  return {.stop_requested = stop_requested,
          .faults = faults ? faults : "",
          .machine_cpus = machine_cpus(),
          .pool = &device.pool(),
          .device = device.is_gpu() ? device.model() : processor_model(),
          .device_note = device.note(),
          .versions = facts_line(facts),
          .facts = std::move(facts),
          .started = started};
}

}  // namespace mpdist::launch
