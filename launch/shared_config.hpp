// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "comm/communicator.hpp"
#include "launch/commands.hpp"
#include "src/train/config.hpp"

namespace mpdist::launch {

/// run.threads_per_rank, which process set-up needs before MPI is there; 1 when the config cannot be read: its errors
/// are told by read_shared_config.
int first_look_at_threads(const ConfigArguments& arguments);

/// For commands of one process.
train::Config read_config(const ConfigArguments& arguments);

/// Collective. Rank 0 reads the file, so that only its node needs it; every rank parses the same text with its own
/// overrides. Errors are collective.
train::Config read_shared_config(const ConfigArguments& arguments, comm::Communicator& communicator);

}  // namespace mpdist::launch
