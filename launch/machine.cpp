// SPDX-License-Identifier: Apache-2.0
#include "launch/machine.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mpdist::launch {

std::string machine_field(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(name) || colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

std::string processor_model() {
  const std::string model = machine_field("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown processor" : model;
}

int machine_cpus() {
  return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace mpdist::launch
