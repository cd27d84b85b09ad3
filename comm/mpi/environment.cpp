// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/environment.hpp"

#include <cstdlib>

#include "comm/mpi/check.hpp"
#include "src/core/log.hpp"

namespace mpdist::comm {

Environment::Environment(int& argc, char**& argv) {
  setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
  int provided = MPI_THREAD_SINGLE;
  MPDIST_MPI(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
  MPDIST_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
}

Environment::~Environment() {
  if (unwinding_.unwinding()) return;
  if (MPI_Finalize() != MPI_SUCCESS) log::warn("MPI_Finalize failed");
}

bool Environment::active() {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized && !finalized;
}

bool Environment::threads() {
  int level = MPI_THREAD_SINGLE;
  return active() && MPI_Query_thread(&level) == MPI_SUCCESS && level == MPI_THREAD_MULTIPLE;
}

void Environment::abort(ExitCode code) {
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  std::_Exit(static_cast<int>(code));
}

}  // namespace mpdist::comm
