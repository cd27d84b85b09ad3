// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "comm/communicator.hpp"

namespace mpdist::launch {

/// Runs work that is this process's alone. An exception becomes one line on stderr, "mpdist: ...", and the exit code
/// that belongs to it. Where a launcher started several processes, only the first works; the others return 0 in
/// silence.
int run_alone(const std::function<int()>& work);

/// Runs work on all ranks that the launcher started, or on one. An exception that every rank throws
/// (Error::is_collective) becomes one line from rank 0, and all end in order with its code. Any other belongs to one
/// rank: that rank says "mpdist: rank R (host): ..." and ends the job with its code.
int run_on_all_ranks(int threads_per_rank, const std::function<int(comm::Communicator&)>& work);

/// Text of a message as one line: control characters become spaces.
std::string one_line(std::string_view text);

}  // namespace mpdist::launch
