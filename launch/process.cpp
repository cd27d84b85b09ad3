// SPDX-License-Identifier: Apache-2.0
#include "launch/process.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>

#include "src/core/error.hpp"

namespace mpdist::launch {
namespace {

/// The first of these environment variables that holds a number; -1 when none does.
int first_number(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    int value = 0;
    if (text && std::from_chars(text, text + std::strlen(text), value).ec == std::errc() && value >= 0) return value;
  }
  return -1;
}

void widen_mask() {
  cpu_set_t all;
  CPU_ZERO(&all);
  const long online = std::min<long>(sysconf(_SC_NPROCESSORS_CONF), CPU_SETSIZE);
  for (long cpu = 0; cpu < online; ++cpu) CPU_SET(static_cast<std::size_t>(cpu), &all);
  sched_setaffinity(0, sizeof all, &all);  // a refusal leaves the mask as it was: slower, not wrong
}

std::atomic<int> stop_signal = 0;

/// Waits for stop signals for the life of the process.
void wait_for_signals(sigset_t signals) {
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    if (stop_signal.exchange(signal) == SIGINT && signal == SIGINT) std::_Exit(static_cast<int>(ExitCode::internal));
  }
}

}  // namespace

int usable_cpus() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  return CPU_COUNT(&mask);
}

bool started_by_launcher() {
  const auto names = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK",   "PMI_RANK",    "PMI_SIZE",
                      "SLURM_PROCID",         "PALS_RANKID", "ALPS_APP_PE", "FLUX_TASK_RANK"};
  return std::any_of(names.begin(), names.end(), [](const char* name) { return std::getenv(name) != nullptr; });
}

int launcher_rank() {
  return std::max(0, first_number({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "PALS_RANKID",
                                   "ALPS_APP_PE", "FLUX_TASK_RANK"}));
}

int launcher_local_ranks() {
  return std::max(1, first_number({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "PMI_LOCAL_SIZE",
                                   "SLURM_NTASKS_PER_NODE", "PALS_LOCAL_SIZE"}));
}

void prepare_process(int threads_per_rank) {
  if (usable_cpus() == 1 && threads_per_rank > 1) widen_mask();
  const bool crowded = launcher_local_ranks() * (threads_per_rank + 1) > usable_cpus();
  setenv("OMPI_MCA_mpi_yield_when_idle", crowded ? "1" : "0", 0);
}

/// A thread waits for the signals and all others block them. With a handler, which runs on the stack of the thread that
/// it interrupts, the heap was found destroyed inside oneDNN in one of some 20 runs that were stopped, and in none of
/// 64 this way: its generated code seems to use memory that a handler's frame overwrites.
void catch_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // inherited by every thread that starts later
  std::thread(wait_for_signals, signals).detach();
}

bool stop_requested() {
  return stop_signal != 0;
}

}  // namespace mpdist::launch
