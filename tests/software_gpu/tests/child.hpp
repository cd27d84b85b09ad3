// SPDX-License-Identifier: Apache-2.0
// The software GPU is a matter of the whole process: environment, errors, exit status. So each case is a child process.
#pragma once
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace software_gpu::testing {

using Environment = std::map<std::string, std::string>;

struct Outcome {
  int status = -1;     ///< exit status, or 128 plus the signal
  std::string errors;  ///< what the child wrote on stderr
};

/// Runs `body` in a child process with these variables set, which then exits with status 0.
inline Outcome run_in_child(const Environment& environment, const std::function<void()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    body();
    std::exit(EXIT_SUCCESS);
  }
  close(ends[1]);
  Outcome outcome;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = read(ends[0], buffer.data(), buffer.size())) > 0;)
    outcome.errors.append(buffer.data(), static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// In the child: ends it with status 1 and this line when `condition` does not hold.
inline void require(bool condition, const std::string& what = "", int line = __builtin_LINE()) {
  if (condition) return;
  std::fprintf(stderr, "line %d: %s does not hold\n", line, what.c_str());
  std::exit(EXIT_FAILURE);
}
inline void expect_error(cudaError_t expected, cudaError_t found, int line = __builtin_LINE()) {
  require(expected == found, std::to_string(expected) + " == " + std::to_string(found), line);
}
/// In the child: the call must succeed.
inline void call(cudaError_t error, int line = __builtin_LINE()) {
  expect_error(cudaSuccess, error, line);
}

inline Environment schedule(const std::string& name, int seed = 1) {
  return {{"SOFTWARE_GPU_SCHEDULE", name}, {"SOFTWARE_GPU_SEED", std::to_string(seed)}};
}
inline std::vector<Environment> all_schedules() {
  return {schedule("eager"), schedule("lazy"), schedule("random", 1), schedule("random", 2), schedule("random", 3)};
}

inline void expect_clean(const Environment& environment, const std::function<void()>& body) {
  const Outcome outcome = run_in_child(environment, body);
  EXPECT_EQ(outcome.status, 0) << ::testing::PrintToString(environment);
  EXPECT_EQ(outcome.errors, "");
}
inline void expect_clean(const std::function<void()>& body) {
  for (const Environment& environment : all_schedules()) expect_clean(environment, body);
}

/// The child must end with this status, and have said "software GPU: <kind>:", where `kind` may go on into the text.
inline void expect_reported(const std::string& kind, const Environment& environment, const std::function<void()>& body,
                            int status = 87) {
  const Outcome outcome = run_in_child(environment, body);
  EXPECT_EQ(outcome.status, status) << ::testing::PrintToString(environment);
  EXPECT_NE(outcome.errors.find("software GPU: " + kind), std::string::npos) << outcome.errors;
}
inline void expect_reported(const std::string& kind, const std::function<void()>& body, int status = 87) {
  for (const Environment& environment : all_schedules()) expect_reported(kind, environment, body, status);
}

/// Device or pinned memory, freed at the end of the scope; wait for its users before.
class Memory {
 public:
  enum Kind { device, pinned };
  Memory(Kind kind, std::size_t bytes) : kind_(kind) {
    call(kind == device ? cudaMalloc(&p_, bytes) : cudaMallocHost(&p_, bytes));
  }
  ~Memory() { call(kind_ == device ? cudaFree(p_) : cudaFreeHost(p_)); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  std::byte* get(std::size_t offset = 0) const { return static_cast<std::byte*>(p_) + offset; }
  template <class T>
  T* as() const {
    return static_cast<T*>(p_);
  }

 private:
  Kind kind_;
  void* p_ = nullptr;
};

class Stream {
 public:
  explicit Stream(unsigned flags = cudaStreamNonBlocking) { call(cudaStreamCreateWithFlags(&stream_, flags)); }
  ~Stream() { call(cudaStreamDestroy(stream_)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  explicit Event(unsigned flags = cudaEventDisableTiming) { call(cudaEventCreateWithFlags(&event_, flags)); }
  ~Event() { call(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace software_gpu::testing
