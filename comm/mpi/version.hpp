// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::comm {

/// The MPI library at run time, "Open MPI v4.1.4". May be asked before MPI is initialised.
std::string mpi_version();

}  // namespace mpdist::comm
