// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "comm/communicator.hpp"

namespace mpdist::comm {

/// The default is right for every run; tests reach the other exchange with few ranks.
struct NcclOptions {
  int most_direct_ranks = 8;  ///< up to so many ranks every rank exchanges with every other; beyond, halving
};

/// make_nccl of the factory.
std::unique_ptr<Communicator> make_nccl(Communicator& host, const NcclOptions& options);

}  // namespace mpdist::comm
