// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/settings.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

[[noreturn]] void refuse(const char* name, const std::string& value) {
  unsupported(std::string(name) + "=" + value);
}

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const std::string value = environment(name);
  if (value.empty()) return otherwise;
  std::uint64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size()) refuse(name, value);
  return result;
}

bool flag(const char* name, bool otherwise) {
  const std::uint64_t value = number(name, otherwise ? 1 : 0);
  if (value > 1) refuse(name, environment(name));
  return value == 1;
}

std::vector<std::string> split(const std::string& list, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(separator, begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Schedule schedule() {
  const std::string value = environment("SOFTWARE_GPU_SCHEDULE");
  if (value == "eager") return Schedule::eager;
  if (value == "lazy") return Schedule::lazy;
  if (value == "random" || value.empty()) return Schedule::random;
  refuse("SOFTWARE_GPU_SCHEDULE", value);
}

/// CUDA_VISIBLE_DEVICES as the programming guide has it: numbers, up to the first that names no device.
std::vector<int> visible_devices(int count) {
  std::vector<int> devices;
  const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
  if (list == nullptr) {
    for (int device = 0; device < count; ++device) devices.push_back(device);
    return devices;
  }
  for (const std::string& item : split(list, ',')) {
    int device = -1;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), device);
    if (error != std::errc() || end != item.data() + item.size() || device < 0 || device >= count) break;
    devices.push_back(device);
  }
  return devices;
}

/// Without a launcher there is no job: unrelated processes may well use the same device.
std::string job() {
  for (const char* name : {"SOFTWARE_GPU_JOB", "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "SLURM_STEP_ID"}) {
    if (const std::string value = environment(name); !value.empty()) return value;
  }
  if (!environment("PMI_RANK").empty()) return "parent-" + std::to_string(getppid());  // MPICH: one proxy a node
  return "";
}

Settings read_settings() {
  Settings s;
  s.schedule = schedule();
  s.seed = number("SOFTWARE_GPU_SEED", 1);
  s.driver = environment("SOFTWARE_GPU_DEVICES") != "none";
  constexpr std::uint64_t kMostDevices = 64;
  const std::uint64_t count = s.driver ? number("SOFTWARE_GPU_DEVICES", 8) : 0;
  if (count > kMostDevices) refuse("SOFTWARE_GPU_DEVICES", environment("SOFTWARE_GPU_DEVICES"));
  s.devices = visible_devices(static_cast<int>(count));
  s.memory_bytes = number("SOFTWARE_GPU_MEMORY_MIB", 4096) << 20;
  s.statistics = flag("SOFTWARE_GPU_STATISTICS", false);
  s.trace = flag("SOFTWARE_GPU_TRACE", false);
  s.leaks = flag("SOFTWARE_GPU_LEAKS", true);
  s.pageable = flag("SOFTWARE_GPU_PAGEABLE", true);
  s.timeout_s = static_cast<int>(number("SOFTWARE_GPU_TIMEOUT_S", 60));
  s.ptx = split(environment("SOFTWARE_GPU_PTX"), ':');
  s.job = job();
  return s;
}

}  // namespace

const Settings& settings() {
  static const Settings* const kSettings = new Settings(read_settings());  // alive while exit handlers run
  return *kSettings;
}

}  // namespace software_gpu
