// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/report.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "tests/software_gpu/core/context.hpp"

namespace software_gpu {
namespace {

constexpr int kPrinted = 8, kPrintedOfAKind = 3;
std::atomic<int> reports{0};
std::atomic<cudaError_t> error_of_context{cudaSuccess};

/// One write a line, so that the lines of several ranks do not mix.
void print(std::string line) {
  line = "software GPU: " + std::move(line) + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

/// One defect in a loop must not hide another.
bool to_be_printed(std::string_view kind) {
  static auto* const kMutex = new std::mutex;
  static auto* const kOfAKind = new std::map<std::string, int, std::less<>>;
  static int printed = 0;
  std::lock_guard lock(*kMutex);
  if (printed == kPrinted || ++(*kOfAKind)[std::string(kind)] > kPrintedOfAKind) return false;
  ++printed;
  return true;
}

/// What a GPU's context becomes after the fault; cudaSuccess for what a GPU does not notice.
cudaError_t fault_of(std::string_view kind) {
  if (kind == "out-of-bounds" || kind == "use-after-free" || kind == "early-free" || kind == "illegal-address")
    return cudaErrorIllegalAddress;
  if (kind == "misaligned") return cudaErrorMisalignedAddress;
  if (kind == "trap") return cudaErrorLaunchFailure;
  return cudaSuccess;
}

}  // namespace

void report(std::string_view kind, const std::string& what) {
  ++reports;
  if (to_be_printed(kind)) print(std::string(kind) + ": " + what);
  if (const cudaError_t fault = fault_of(kind); fault != cudaSuccess) fail_context(fault);
}

void unsupported(const std::string& what) {
  stop(Status::unsupported, "unsupported", what);
}

void stop(Status status, std::string_view kind, const std::string& what) {
  std::fflush(nullptr);
  print(std::string(kind) + ": " + what);
  _exit(static_cast<int>(status));
}

void note(const std::string& what) {
  print(what);
}

int report_count() {
  return reports;
}

cudaError_t context_error() {
  return error_of_context;
}

void fail_context(cudaError_t error) {
  cudaError_t none = cudaSuccess;
  error_of_context.compare_exchange_strong(none, error);
}

}  // namespace software_gpu
