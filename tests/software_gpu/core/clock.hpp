// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace software_gpu {

/// Vector clock (Lamport 1978, Mattern 1989): per timeline the last tick that has happened before. Each stream is a
/// timeline; the host has none of its own: its clock says which operations it has waited for.
class Clock {
 public:
  void join(const Clock& other) {
    if (ticks_.size() < other.ticks_.size()) ticks_.resize(other.ticks_.size());
    for (std::size_t i = 0; i < other.ticks_.size(); ++i) ticks_[i] = std::max(ticks_[i], other.ticks_[i]);
  }
  std::uint64_t at(std::size_t timeline) const { return timeline < ticks_.size() ? ticks_[timeline] : 0; }
  void set(std::size_t timeline, std::uint64_t tick) {
    if (ticks_.size() <= timeline) ticks_.resize(timeline + 1);
    ticks_[timeline] = tick;
  }

 private:
  std::vector<std::uint64_t> ticks_;
};

/// One operation as a point of its timeline.
struct Epoch {
  std::size_t timeline = 0;
  std::uint64_t tick = 0;
  std::string who;  ///< for reports
  bool before(const Clock& clock) const { return clock.at(timeline) >= tick; }
};
using EpochPtr = std::shared_ptr<const Epoch>;

}  // namespace software_gpu
