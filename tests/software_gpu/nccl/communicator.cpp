// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/communicator.hpp"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/stream.hpp"

namespace software_gpu::nccl {
namespace {

std::deque<ncclComm>& all() {
  static auto* const kAll = new std::deque<ncclComm>;
  return *kAll;
}

bool wait_for_all(const Meeting& meeting, int size) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(settings().timeout_s);
  while (meeting.joined < size) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

/// Before the software GPU's last word. A program that failed has its own reasons not to have cleaned up.
void report_leaks(int status, void*) {
  const auto living = std::count_if(all().begin(), all().end(), [](const ncclComm& c) { return !c.destroyed; });
  if (status == EXIT_SUCCESS && settings().leaks && living > 0)
    report("leak", std::to_string(living) + " communicator(s) of NCCL");
}

/// Each rank sees the same, so all refuse alike.
ncclResult_t check_members(const ncclComm& communicator) {
  const Meeting& meeting = communicator.meeting();
  for (int rank = 0; rank < communicator.size; ++rank) {
    if (meeting.sizes[rank] != communicator.size) {
      report("collective-mismatch", "ncclCommInitRank: rank " + std::to_string(rank) + " of " +
                                        std::to_string(communicator.size) + " is missing or of another size");
      return ncclInvalidUsage;
    }
    for (int other = 0; other < rank; ++other) {
      if (meeting.devices[rank] != meeting.devices[other]) continue;
      report("device-shared", "ncclCommInitRank: ranks " + std::to_string(other) + " and " + std::to_string(rank) +
                                  " both use device " + std::to_string(meeting.devices[rank]));
      return ncclInvalidUsage;
    }
  }
  return ncclSuccess;
}

}  // namespace

ncclResult_t join(ncclComm_t* communicator, int size, const ncclUniqueId& id, int rank) {
  const std::string name(id.internal, strnlen(id.internal, sizeof id.internal));
  if (communicator == nullptr || size < 1 || rank < 0 || rank >= size || !is_meeting_name(name))
    return ncclInvalidArgument;
  if (size > kMostRanks) unsupported("ncclCommInitRank of " + std::to_string(size) + " ranks");
  ncclComm made;
  made.rank = rank;
  made.size = size;
  made.device = current_device();
  made.name = name;
  made.mapping = Mapping::create(name, sizeof(Meeting));
  Meeting& meeting = made.meeting();
  meeting.devices[rank] = settings().devices.at(static_cast<std::size_t>(made.device));
  meeting.sizes[rank] = size;
  ++meeting.joined;
  if (!wait_for_all(meeting, size)) return ncclSystemError;
  const ncclResult_t result = check_members(made);
  const std::lock_guard lock(mutex());
  if (result != ncclSuccess) {
    leave(made);
    return result;
  }
  if (all().empty()) on_exit(report_leaks, nullptr);
  *communicator = &all().emplace_back(std::move(made));
  return ncclSuccess;
}

bool is_usable(const ncclComm* communicator, const char* caller) {
  const auto known =
      std::find_if(all().begin(), all().end(), [&](const ncclComm& other) { return &other == communicator; });
  if (known == all().end()) {
    report("invalid-handle", std::string(caller) + ": " + hexadecimal(communicator) + " is no communicator");
    return false;
  }
  if (known->destroyed) report("destroyed-communicator", std::string(caller) + " after its end");
  return !known->destroyed;
}

void leave(ncclComm& communicator) {
  communicator.destroyed = true;
  if (++communicator.meeting().left == communicator.size) remove(communicator.name);
}

}  // namespace software_gpu::nccl
