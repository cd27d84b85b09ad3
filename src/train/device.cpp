// SPDX-License-Identifier: Apache-2.0
#include "src/train/device.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "comm/factory.hpp"
#include "comm/nccl/version.hpp"
#include "kernels/gpu_libraries.hpp"
#include "src/core/cuda.hpp"

namespace mpdist::train {
namespace {

/// Fields divided by tabs: devices, bus id, reason.
std::string to_line(const cuda::Status& status, int device) {
  return fmt::format("{}\t{}\t{}", status.devices, status.devices > 0 ? cuda::bus_id(device) : "", status.reason);
}

std::vector<DeviceOffer> gather(comm::Communicator& communicator, const std::string& mine) {
  std::vector<DeviceOffer> offers;
  for (const std::string& line : communicator.all_gather_text(mine)) {
    const std::size_t rank = offers.size();
    DeviceOffer offer{.host = communicator.hosts()[rank]};
    std::stringstream fields(line);
    fields >> offer.devices;
    fields.ignore();
    std::getline(fields, offer.bus_id, '\t');
    std::getline(fields, offer.reason);
    offers.push_back(std::move(offer));
  }
  return offers;
}

/// The first rank that sees no device.
std::string without_device(const std::vector<DeviceOffer>& ranks) {
  const auto none = std::find_if(ranks.begin(), ranks.end(), [](const DeviceOffer& r) { return r.devices == 0; });
  if (none == ranks.end()) return {};
  const bool alike = std::all_of(ranks.begin(), ranks.end(),
                                 [&](const DeviceOffer& r) { return r.devices == 0 && r.reason == none->reason; });
  return alike ? none->reason : fmt::format("rank {} ({}): {}", none - ranks.begin(), none->host, none->reason);
}

}  // namespace

std::string obstacle(const std::vector<DeviceOffer>& ranks) {
  if (std::string text = without_device(ranks); !text.empty()) return text;
  std::map<std::pair<std::string, std::string>, std::size_t> holders;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const DeviceOffer& mine = ranks[rank];
    const auto [other, alone] = holders.try_emplace({mine.host, mine.bus_id}, rank);
    if (alone) continue;
    const auto there = std::count_if(ranks.begin(), ranks.end(), [&](const auto& r) { return r.host == mine.host; });
    if (mine.devices < there) {
      return fmt::format("{} has {} visible GPU{} for {} ranks: too few, each rank needs its own", mine.host,
                         mine.devices, mine.devices == 1 ? "" : "s", there);
    }
    return fmt::format("ranks {} and {} are both on GPU {} of {}: each needs its own", other->second, rank, mine.bus_id,
                       mine.host);
  }
  return {};
}

ComputeDevice::ComputeDevice(const std::string& wanted, comm::Communicator& communicator) {
  if (wanted == "cpu") return;
  const cuda::Status status = cuda::status();
  const int device = status.devices > 0 ? comm::local_rank(communicator) % status.devices : 0;
  std::string mine;
  together(communicator, [&] { mine = to_line(status, device); });
  const std::string problem = obstacle(gather(communicator, mine));
  if (!problem.empty() && wanted == "cuda") {
    throw collective(UsageError(
        fmt::format("run.device = \"cuda\": {}; set run.device = \"cpu\" or \"auto\" to compute on the CPU", problem)));
  }
  if (!problem.empty()) {
    if (status.built) note_ = fmt::format("computing on the CPU, run.device = \"auto\": {}", problem);
    return;
  }
  together(communicator, [&] {
    cuda::use(device);
    model_ = cuda::device_name(device);
    facts_ = {{"GPU", model_}, {"CUDA", cuda::versions()}};
    for (const auto& [library, version] : kernels::gpu_libraries()) facts_.push_back({library, version});
    facts_.push_back({"NCCL", comm::nccl_version()});
  });
  pool_ = &Pool::cuda();
}

/// While an exception of this rank alone unwinds, work that waits for other ranks may be under way for ever: then all
/// is left to the end of the process.
ComputeDevice::~ComputeDevice() {
  if (!is_gpu() || unwinding_.unwinding()) return;
  Pool::cuda().trim();
  Pool::pinned().trim();
}

}  // namespace mpdist::train
