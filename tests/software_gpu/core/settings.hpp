// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace software_gpu {

/// When operations run. All three are legal orders of the same program.
enum class Schedule {
  eager,   ///< as soon as possible, in the order of submission
  lazy,    ///< only when the host waits for them, and then only what the wait needs
  random,  ///< at any time, in any order that streams and events allow, by seed
};

/// What the environment asks for; read once. A value that cannot be understood ends the process (Status::unsupported).
struct Settings {
  Schedule schedule = Schedule::random;  ///< SOFTWARE_GPU_SCHEDULE
  std::uint64_t seed = 1;                ///< SOFTWARE_GPU_SEED
  bool driver = true;                    ///< false: SOFTWARE_GPU_DEVICES=none
  std::vector<int> devices;              ///< physical number of each device: SOFTWARE_GPU_DEVICES, CUDA_VISIBLE_DEVICES
  std::size_t memory_bytes = 0;          ///< of each device: SOFTWARE_GPU_MEMORY_MIB
  bool statistics = false;               ///< SOFTWARE_GPU_STATISTICS
  bool trace = false;                    ///< SOFTWARE_GPU_TRACE
  bool leaks = true;                     ///< SOFTWARE_GPU_LEAKS: report what is alive at exit
  bool pageable = true;          ///< SOFTWARE_GPU_PAGEABLE: asynchronous copies of pageable memory are no defect
  int timeout_s = 60;            ///< SOFTWARE_GPU_TIMEOUT_S: a wait without progress is a deadlock after this
  std::vector<std::string> ptx;  ///< SOFTWARE_GPU_PTX: files and folders
  std::string job;               ///< names the processes that share devices: SOFTWARE_GPU_JOB or the launcher's
};
const Settings& settings();

}  // namespace software_gpu
