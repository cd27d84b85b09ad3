// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace software_gpu::nccl {

inline constexpr int kMostRanks = 32;
using Counter = std::atomic<std::uint64_t>;

/// What the ranks of one communicator share: zero at first, in POSIX shared memory. Counters only grow.
struct Meeting {
  std::atomic<int> joined, left;
  std::atomic<int> sizes[kMostRanks];       ///< that each rank was told, 0 until it has joined
  std::atomic<int> devices[kMostRanks];     ///< physical number of each rank's device
  Counter published[kMostRanks];            ///< collectives whose part the rank has put where others read it
  Counter sent[kMostRanks][kMostRanks];     ///< messages [from][to] that can be read
  Counter awaited[kMostRanks][kMostRanks];  ///< messages [from][to] for which the receiver has begun to wait
};

/// A piece of POSIX shared memory in this process.
class Mapping {
 public:
  Mapping() = default;
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// Creates it, or opens what another rank created with the same size.
  static Mapping create(const std::string& name, std::size_t bytes);
  /// Opens what is there, in its own size.
  static Mapping open(const std::string& name);
  std::byte* data() const { return data_; }

 private:
  Mapping(int file, const std::string& name, std::size_t bytes);
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

void remove(const std::string& name);

/// A name that no other communicator has: it carries the process that made it. What processes that are gone have left
/// behind is removed.
std::string new_meeting_name();
bool is_meeting_name(const std::string& name);

}  // namespace software_gpu::nccl
