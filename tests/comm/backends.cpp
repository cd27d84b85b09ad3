// SPDX-License-Identifier: Apache-2.0
#include "tests/comm/backends.hpp"

#include "comm/mpi/mpi_communicator.hpp"
#include "comm/nccl/nccl_communicator.hpp"
#include "src/core/cuda.hpp"

namespace mpdist::test {

int ranks() {
  static const int size = comm::make_mpi()->size();
  return size;
}

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = [] {
    const auto with = [](comm::MpiOptions options) {
      return [options](comm::Communicator&) { return comm::make_mpi(options); };
    };
    std::vector<Backend> list{{"mpi", with({})}, {"mpi_messages", with({.shared_memory_limit = 0})}};
    if (ranks() == 1) list.insert(list.begin(), {"self", [](comm::Communicator&) { return comm::make_self(); }});
    for (int per_node : {1, 2, 4}) {
      if (per_node >= ranks()) continue;
      const std::string name = "mpi_nodes_of_" + std::to_string(per_node);
      list.push_back({name, with({.ranks_per_node = per_node})});
      list.push_back({name + "_round_robin", with({.ranks_per_node = per_node, .round_robin = true})});
    }
    list.push_back({"mpi_small_pieces", with({.ranks_per_node = 2, .round_robin = true, .piece_bytes = 300})});
    if (cuda::status().devices < ranks()) return list;
    const auto on_gpus = [](comm::NcclOptions options) {
      return [options](comm::Communicator& host) { return comm::make_nccl(host, options); };
    };
    list.push_back({"nccl", on_gpus({}), true});
    if (ranks() > 1) list.push_back({"nccl_halving", on_gpus({.most_direct_ranks = 1}), true});
    return list;
  }();
  return all;
}

void OverBackends::SetUp() {
  std::unique_ptr<comm::Communicator> host = comm::make_mpi();
  communicator_ = GetParam().make(*host);
  if (GetParam().on_gpu) host_ = std::move(host);
}

}  // namespace mpdist::test
