// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace mpdist::comm {

/// The defaults are right for every run; the rest lets one machine stand for several, and a test reach the limits.
struct MpiOptions {
  int ranks_per_node = 0;    ///< 0: nodes as they are; else each node counts as several of at most this many ranks
  bool round_robin = false;  ///< such pretended nodes are dealt ranks in turn instead of in runs
  std::int64_t shared_memory_limit = -1;  ///< bytes a machine may hold in windows; negative: what /dev/shm has free
  std::int64_t piece_bytes = std::int64_t{256} << 20;  ///< longer messages are sent in pieces (MPI counts are 31 bits)
};

}  // namespace mpdist::comm
