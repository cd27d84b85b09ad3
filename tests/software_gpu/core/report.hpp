// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace software_gpu {

/// Exit status of the process, after the last of the program's own exit handlers has run.
enum class Status : int {
  host_touched_device = 86,  ///< the host dereferenced device memory, or pinned memory that a copy still uses
  defect = 87,               ///< at least one defect was reported
  deadlock = 88,             ///< a wait that nothing can end
  unsupported = 89,          ///< the program asked for something that the software GPU does not know
};

/// A defect of the program under test. Counted; the first 8 are printed, of each kind the first 3, one line each on
/// stderr: `software GPU: <kind>: <what>`. `kind` is one of the fixed words that the README lists. The program goes on
/// and ends with Status::defect. Kinds that would fault on a GPU (out-of-bounds, use-after-free, early-free,
/// illegal-address, misaligned, trap) make the context fail as CUDA's do: all later calls return the error and pending
/// operations do not run.
void report(std::string_view kind, const std::string& what);

/// Ends the process at once with Status::unsupported, naming `what`: the software GPU never guesses.
[[noreturn]] void unsupported(const std::string& what);

/// Ends the process at once with `status` and the line `software GPU: <kind>: <what>`.
[[noreturn]] void stop(Status status, std::string_view kind, const std::string& what);

/// Prints `software GPU: <what>` on stderr: statistics and traces, which are no defects.
void note(const std::string& what);

/// Reports so far in this process.
int report_count();

}  // namespace software_gpu
