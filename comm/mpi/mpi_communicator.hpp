// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "comm/communicator.hpp"
#include "comm/mpi/mpi_options.hpp"

namespace mpdist::comm {

/// All ranks of the job, on a duplicate of MPI_COMM_WORLD. An Environment must live. Collective.
std::unique_ptr<Communicator> make_mpi(const MpiOptions& options = {});

}  // namespace mpdist::comm
