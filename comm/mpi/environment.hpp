// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/error.hpp"
#include "src/core/unwinding.hpp"

namespace mpdist::comm {

/// MPI for the life of the process: initialised with MPI_THREAD_MULTIPLE where the library has it, finalized at the
/// end. Open MPI is asked to yield the CPU while it waits (unless the user exported OMPI_MCA_mpi_yield_when_idle):
/// ranks and helper threads may share cores. One object, made first in main and outlived by nothing that communicates;
/// exceptions are caught inside its scope and end in abort(), since MPI_Finalize would wait for ranks that are still at
/// work.
class Environment {
 public:
  Environment(int& argc, char**& argv);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// Whether MPI has been initialised and not yet finalized, and may be called by several threads at once.
  static bool active();
  static bool threads();

  /// Ends all ranks with this exit code.
  [[noreturn]] static void abort(ExitCode code);

 private:
  UnwindingCheck unwinding_;
};

}  // namespace mpdist::comm
