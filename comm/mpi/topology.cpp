// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/topology.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "src/core/log.hpp"

namespace mpdist::comm {
namespace {

MpiGroup machine_of(const MpiGroup& world) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPDIST_MPI(MPI_Comm_split_type(world.get(), MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &comm));
  return MpiGroup(comm);
}

MpiGroup node_within(const MpiGroup& host, const MpiOptions& options) {
  int group = 0;
  if (options.ranks_per_node > 0) {
    const int groups = (host.size() + options.ranks_per_node - 1) / options.ranks_per_node;
    group = options.round_robin ? host.rank() % groups : host.rank() / options.ranks_per_node;
  }
  MPI_Comm comm = MPI_COMM_NULL;
  MPDIST_MPI(MPI_Comm_split(host.get(), group, host.rank(), &comm));
  return MpiGroup(comm);
}

std::vector<int> number_nodes(const MpiGroup& world, const MpiGroup& node) {
  int first = world.rank();
  MPDIST_MPI(MPI_Bcast(&first, 1, MPI_INT, 0, node.get()));
  std::vector<int> nodes(world.size());
  MPDIST_MPI(MPI_Allgather(&first, 1, MPI_INT, nodes.data(), 1, MPI_INT, world.get()));
  std::vector<int> firsts;
  for (int& entry : nodes) {
    auto found = std::find(firsts.begin(), firsts.end(), entry);
    if (found == firsts.end()) found = firsts.insert(firsts.end(), entry);
    entry = static_cast<int>(found - firsts.begin());
  }
  return nodes;
}

std::vector<std::string> gather_hosts(const MpiGroup& world) {
  constexpr int kLength = 256;
  std::array<char, kLength> mine{};
  gethostname(mine.data(), kLength - 1);
  std::vector<char> all(static_cast<std::size_t>(kLength) * world.size());
  MPDIST_MPI(MPI_Allgather(mine.data(), kLength, MPI_CHAR, all.data(), kLength, MPI_CHAR, world.get()));
  std::vector<std::string> hosts;
  for (int rank = 0; rank < world.size(); ++rank) hosts.emplace_back(all.data() + kLength * rank);
  return hosts;
}

/// mpirun may bind each rank to its own CPU, so only the union of the masks says how many there are.
bool is_crowded(const MpiGroup& host) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) return true;
  cpu_set_t all;
  MPDIST_MPI(MPI_Allreduce(&mine, &all, static_cast<int>(sizeof mine), MPI_BYTE, MPI_BOR, host.get()));
  return host.size() > CPU_COUNT(&all);
}

}  // namespace

MpiGroup::MpiGroup(MPI_Comm comm) : comm_(comm) {
  MPDIST_MPI(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
  MPDIST_MPI(MPI_Comm_rank(comm_, &rank_));
  MPDIST_MPI(MPI_Comm_size(comm_, &size_));
}

MpiGroup::~MpiGroup() {
  if (comm_ == MPI_COMM_NULL || unwinding_.unwinding()) return;
  if (MPI_Comm_free(&comm_) != MPI_SUCCESS) log::warn("MPI_Comm_free failed");
}

MpiGroup::MpiGroup(MpiGroup&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)), rank_(other.rank_), size_(other.size_) {}

MpiGroup& MpiGroup::operator=(MpiGroup&& other) noexcept {
  std::swap(comm_, other.comm_);
  rank_ = other.rank_;
  size_ = other.size_;
  return *this;
}

Topology::Topology(const MpiGroup& world, const MpiOptions& options)
    : host(machine_of(world)),
      node(node_within(host, options)),
      nodes(number_nodes(world, node)),
      hosts(gather_hosts(world)),
      crowded(is_crowded(host)) {}

}  // namespace mpdist::comm
