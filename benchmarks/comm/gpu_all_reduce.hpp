// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "comm/communicator.hpp"

namespace mpdist::benchmarks {

/// Sums of `bytes` of FP16 over GPUs, in turns: the tree and the library's own. Verified, then timed by events; prints
/// time and bus bandwidth (bytes/time * 2(n-1)/n, as nccl-tests defines it) of the slowest rank. Collective.
void measure_gpu_all_reduce(comm::Communicator& host, comm::Communicator& gpus, std::int64_t bytes);

}  // namespace mpdist::benchmarks
