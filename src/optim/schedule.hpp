// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/core/schema.hpp"

namespace mpdist::optim {

/// Learning rate factor of applied update `step` (0-based) of `total`, a pure function of `step`: a resumed run needs nothing else.
/// During the first warmup_steps the factor rises linearly: (step+1)/warmup_steps times the schedule's value at the end of warm-up.
class Schedule {
 public:
  virtual ~Schedule() = default;
  virtual double factor(std::int64_t step) const = 0;
};

/// One schedule by name: its keys of [schedule] and how it is made for a run of `total_steps`.
struct ScheduleEntry {
  std::string name, help;
  std::function<std::unique_ptr<Options>()> options;
  std::function<std::unique_ptr<Schedule>(const Options&, std::int64_t total_steps)> make;
};

/// constant, step, cosine, polynomial; a new one is one line in schedule.cpp.
const std::vector<ScheduleEntry>& schedules();

}  // namespace mpdist::optim
