// SPDX-License-Identifier: Apache-2.0
// Processes of one job meet in a small file in shared memory: who uses which device. A claim names process and start
// time, so that a dead process's claim, and a process number used again, are recognised.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/software_gpu/core/context.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"

namespace software_gpu {
namespace {

struct Claim {
  std::int64_t pid = 0;
  std::uint64_t started = 0;
};
using Claims = std::array<Claim, 64>;  // by physical number of the device

/// Start time of a process in clock ticks since boot (proc(5), field 22 of stat); 0 when there is no such process.
std::uint64_t start_time(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return field.empty() ? 0 : std::stoull(field);
}

std::string file_name() {
  std::string name = "/software_gpu." + std::to_string(getuid()) + "." + settings().job;
  std::replace_if(
      name.begin() + 1, name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-'; }, '_');
  return name;
}

/// Lets `change` read and write the claims under a lock of the file. The last process to leave removes the file, so one
/// that was removed while we waited for its lock is opened anew.
void with_claims(const std::function<void(Claims&)>& change) {
  for (;;) {
    const int file = shm_open(file_name().c_str(), O_CREAT | O_RDWR, 0600);
    struct stat status {};
    if (file < 0 || flock(file, LOCK_EX) != 0 || fstat(file, &status) != 0) unsupported("no shared memory for claims");
    if (status.st_nlink == 0) {
      close(file);
      continue;
    }
    Claims claims{};
    (void)!pread(file, claims.data(), sizeof claims, 0);  // a new file is empty: no claims
    change(claims);
    (void)!pwrite(file, claims.data(), sizeof claims, 0);
    const bool empty = std::all_of(claims.begin(), claims.end(), [](const Claim& c) { return c.pid == 0; });
    if (empty) shm_unlink(file_name().c_str());
    close(file);
    return;
  }
}

bool claimed = false;

void claim(int physical) {
  claimed = true;
  with_claims([&](Claims& claims) {
    Claim& mine = claims[static_cast<std::size_t>(physical)];
    const std::int64_t pid = getpid();
    if (mine.pid != 0 && mine.pid != pid && mine.started == start_time(mine.pid)) {
      report("device-shared", "processes " + std::to_string(mine.pid) + " and " + std::to_string(pid) + " of job " +
                                  settings().job + " both use device " + std::to_string(physical));
      return;
    }
    mine = {pid, start_time(pid)};
  });
}

}  // namespace

void use_device(int device) {
  static auto* const kUsed = new std::vector<bool>(settings().devices.size());
  const auto index = static_cast<std::size_t>(device);
  if ((*kUsed)[index]) return;
  (*kUsed)[index] = true;
  if (!settings().job.empty()) claim(settings().devices[index]);
}

void give_devices_back() {
  if (!claimed) return;
  with_claims([](Claims& claims) {
    for (Claim& claim : claims) {
      if (claim.pid == getpid()) claim = {};
    }
  });
}

}  // namespace software_gpu
