// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace mpdist::launch {

/// CPUs that this process may run on (its affinity mask, not the machine's count).
int usable_cpus();

/// Whether a launcher (mpirun, srun, ...) started this process as one of several; then MPI is initialised.
bool started_by_launcher();
/// What the launcher says of this process before MPI_Init; 0 and 1 where it says nothing.
int launcher_rank();
int launcher_local_ranks();

/// To be called before MPI_Init. Waiting ranks yield their CPU when ranks and helper threads of this node exceed its
/// CPUs (OMPI_MCA_mpi_yield_when_idle; what the user exported stands), and a mask of one CPU is widened to the whole
/// machine when the rank runs more threads (mpirun pins each of two ranks to one core).
void prepare_process(int threads_per_rank);

/// SIGUSR1, SIGTERM and SIGINT ask for a checkpoint and an orderly end; a second SIGINT ends the process at once. To be
/// called before any thread starts, MPI's included.
void catch_stop_signals();
/// Whether one of them has arrived.
bool stop_requested();

}  // namespace mpdist::launch
