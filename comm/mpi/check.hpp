// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mpi.h>

namespace mpdist::comm {

/// Throws LibraryError with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace mpdist::comm

/// MPI calls return codes on our communicators (MPI_ERRORS_RETURN): every call goes through this.
#define MPDIST_MPI(call) ::mpdist::comm::check_mpi((call), #call)
