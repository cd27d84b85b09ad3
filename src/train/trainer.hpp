// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "comm/communicator.hpp"
#include "src/core/error.hpp"
#include "src/core/pool.hpp"
#include "src/train/agreement.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// What the program tells the trainer beside the config.
struct RunContext {
  std::function<bool()> stop_requested = [] { return false; };  ///< a signal asked this rank to stop
  std::string faults;                                           ///< MPDIST_FAULT
  std::int64_t machine_cpus = 1;                                ///< of this rank's machine
  Pool* pool = &Pool::host();  ///< memory of the device that this rank computes on (ComputeDevice)
  std::string device;          ///< its model name
  std::string device_note;     ///< a line on the choice of it; may be empty
  std::string versions;        ///< one line: program, libraries, instruction set
  std::vector<Fact> facts;     ///< of this rank, equal on all: build, libraries, instruction set, GPU
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();  ///< of the process
};

/// Trains as the config says until it is done, stopped or cannot go on; collective. Resumes from the newest sound
/// checkpoint where there is one. Returns done or stopped; everything else is an Error with its exit code.
ExitCode run(const Config& config, comm::Communicator& communicator, const RunContext& context);

}  // namespace mpdist::train
