// SPDX-License-Identifier: Apache-2.0
#include "tests/comm/backends.hpp"

#include <cstdlib>
#include <string_view>

#include "comm/mpi/mpi_communicator.hpp"
#include "comm/nccl/nccl_communicator.hpp"

namespace mpdist::test {

int ranks() {
  static const int size = comm::make_mpi()->size();
  return size;
}

bool on_gpus() {
  const char* device = std::getenv("MPDIST_TEST_DEVICE");
  return device != nullptr && std::string_view(device) == "cuda";
}

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = [] {
    const auto nccl = [](comm::NcclOptions options) {
      return [options](comm::Communicator& host) { return comm::make_nccl(host, options); };
    };
    if (on_gpus()) {
      return std::vector<Backend>{{"nccl", nccl({}), true}, {"nccl_halving", nccl({.most_direct_ranks = 1}), true}};
    }
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
