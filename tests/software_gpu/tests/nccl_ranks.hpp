// SPDX-License-Identifier: Apache-2.0
// Ranks of NCCL as processes: run_in_child's child starts one for each rank and ends with the worst status of them.
#pragma once
#include <nccl.h>

#include <algorithm>
#include <optional>

#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu::testing {

inline void expect_nccl(ncclResult_t expected, ncclResult_t found, int line = __builtin_LINE()) {
  require(expected == found, std::to_string(expected) + " == " + std::to_string(found), line);
}
inline void call(ncclResult_t result, int line = __builtin_LINE()) {
  expect_nccl(ncclSuccess, result, line);
}

/// One rank: its communicator on a device of its own, a stream, and device memory for `kElements` floats in and out.
struct Rank {
  static constexpr std::size_t kElements = 64;
  Rank(int number, int ranks, const ncclUniqueId& id, int device) : rank(number), size(ranks) {
    call(cudaSetDevice(device));
    call(ncclCommInitRank(&communicator, ranks, id, number));
    stream.emplace();
    in.emplace(Memory::device, kElements * sizeof(float));
    out.emplace(Memory::device, kElements * sizeof(float));
    call(cudaMemset(in->get(), 0, kElements * sizeof(float)));
    call(cudaDeviceSynchronize());
  }
  ~Rank() {
    if (communicator != nullptr) call(ncclCommDestroy(communicator));
    call(cudaDeviceSynchronize());
  }
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  template <class T>
  void put(const std::vector<T>& values) const {
    call(cudaMemcpyAsync(in->get(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, *stream));
    call(cudaStreamSynchronize(*stream));
  }
  template <class T>
  std::vector<T> result(std::size_t count) const {
    std::vector<T> values(count);
    call(cudaMemcpyAsync(values.data(), out->get(), count * sizeof(T), cudaMemcpyDeviceToHost, *stream));
    call(cudaStreamSynchronize(*stream));
    return values;
  }

  int rank, size;
  ncclComm_t communicator = nullptr;
  std::optional<Stream> stream;
  std::optional<Memory> in, out;
};

/// In the child of run_in_child: processes that run `body` each, and the worst of their statuses as this one's.
inline void run_processes(int count, const std::function<void(int, const ncclUniqueId&)>& body) {
  ncclUniqueId id;
  call(ncclGetUniqueId(&id));
  std::vector<pid_t> processes;
  for (int i = 0; i < count; ++i) {
    processes.push_back(fork());
    if (processes.back() != 0) continue;
    body(i, id);
    std::exit(EXIT_SUCCESS);
  }
  int worst = 0;
  for (const pid_t process : processes) {
    int status = 0;
    waitpid(process, &status, 0);
    worst = std::max(worst, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  _exit(worst);
}

/// The body for expect_clean and expect_reported.
inline std::function<void()> ranks(int count, const std::function<void(Rank&)>& body) {
  return [=] {
    run_processes(count, [&](int number, const ncclUniqueId& id) {
      Rank rank(number, count, id, number);
      body(rank);
    });
  };
}

}  // namespace software_gpu::testing
