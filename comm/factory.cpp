// SPDX-License-Identifier: Apache-2.0
#include "comm/factory.hpp"

#include <sched.h>

#include <algorithm>

#include "comm/mpi/environment.hpp"
#include "comm/mpi/mpi_communicator.hpp"
#include "comm/nccl/nccl_communicator.hpp"

namespace mpdist::comm {

const std::vector<std::string>& backends() {
  static const std::vector<std::string> names{"self", "mpi"};
  return names;
}

std::unique_ptr<Communicator> make_communicator(std::string_view backend) {
  if (backend == "auto") backend = Environment::active() ? "mpi" : "self";
  if (backend == "self") return make_self();
  if (backend == "mpi") return make_mpi();
  throw UsageError(fmt::format("communicator: expected auto, self or mpi, found \"{}\"", backend));
}

std::unique_ptr<Communicator> make_nccl(Communicator& host) {
  return make_nccl(host, NcclOptions());
}

int local_rank(const Communicator& communicator) {
  const std::vector<std::string>& hosts = communicator.hosts();
  const auto mine = hosts.begin() + communicator.rank();
  return static_cast<int>(std::count(hosts.begin(), mine, *mine));
}

bool has_spare_cpus(Communicator& communicator, int threads_per_rank) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  sched_getaffinity(0, sizeof mine, &mine);
  std::vector<cpu_set_t> masks(communicator.size());
  communicator.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(masks)));
  const std::vector<std::string>& hosts = communicator.hosts();
  // mpirun may bind each rank to CPUs of its own: what a machine offers is the union.
  return std::all_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
    cpu_set_t all;
    CPU_ZERO(&all);
    int ranks = 0;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (hosts[i] != host) continue;
      CPU_OR(&all, &all, &masks[i]);
      ++ranks;
    }
    return CPU_COUNT(&all) >= ranks * (threads_per_rank + 1);
  });
}

}  // namespace mpdist::comm
