// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::launch {

/// The value of the first line "name : value" of a file such as /proc/cpuinfo; empty when there is none.
std::string machine_field(const char* path, const std::string& name);

/// "AMD EPYC 9654 96-Core Processor"; "unknown processor" where the system does not say.
std::string processor_model();

/// CPUs of the machine that are online, whatever the affinity mask of this process.
int machine_cpus();

}  // namespace mpdist::launch
