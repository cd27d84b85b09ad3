// SPDX-License-Identifier: Apache-2.0
#include "launch/guard.hpp"

#include <exception>
#include <new>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "comm/factory.hpp"
#include "comm/mpi/environment.hpp"
#include "launch/process.hpp"
#include "src/core/error.hpp"
#include "src/core/log.hpp"

namespace mpdist::launch {
namespace {

struct Failure {
  std::string message;
  ExitCode code = ExitCode::internal;
  bool collective = false;
};

/// The exception in flight. The one place where exceptions become exit codes.
Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {one_line(error.what()), error.exit_code(), error.is_collective()};
  } catch (const std::bad_alloc&) {
    return {"out of memory"};
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {  // of std::thread, which gives no reason
      return {
          "cannot start a thread: memory or the number of processes is limited (ulimit -v, ulimit -u, the cgroup's "
          "pids.max); raise that limit or lower data.workers"};
    }
    return {"internal error: " + one_line(error.what())};
  } catch (const std::exception& error) {
    return {"internal error: " + one_line(error.what())};
  } catch (...) {
    return {"internal error of unknown kind"};
  }
}

int run_under_mpi(const std::function<int(comm::Communicator&)>& work) {
  int argc = 0;
  char** argv = nullptr;
  comm::Environment environment(argc, argv);
  const std::unique_ptr<comm::Communicator> communicator = comm::make_communicator("mpi");
  log::set_speaker(communicator->rank() == 0);
  Failure failure;
  try {
    return work(*communicator);
  } catch (...) {
    failure = current_failure();
  }
  if (failure.collective || communicator->size() == 1) {
    if (log::speaks()) log::line(failure.message);
    return static_cast<int>(failure.code);
  }
  const int rank = communicator->rank();
  log::line(
      fmt::format("rank {} ({}): {}", rank, communicator->hosts()[static_cast<std::size_t>(rank)], failure.message));
  comm::Environment::abort(failure.code);
}

int run_here(const std::function<int()>& work) {
  try {
    return work();
  } catch (...) {
    const Failure failure = current_failure();
    log::line(failure.message);
    return static_cast<int>(failure.code);
  }
}

}  // namespace

int run_alone(const std::function<int()>& work) {
  return launcher_rank() == 0 ? run_here(work) : static_cast<int>(ExitCode::done);
}

int run_on_all_ranks(int threads_per_rank, const std::function<int(comm::Communicator&)>& work) {
  prepare_process(threads_per_rank);
  if (started_by_launcher()) return run_here([&] { return run_under_mpi(work); });
  return run_here([&] { return work(*comm::make_communicator("self")); });
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

}  // namespace mpdist::launch
