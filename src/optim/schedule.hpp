// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/core/schema.hpp"

namespace mpdist::optim {

/// Learning rate factor of applied update `step` (0-based) of `total_steps`, a pure function of `step`: a resumed run
/// needs nothing else. During the first warmup_steps the factor rises linearly: (step+1)/warmup_steps times the value
/// at the end of warm-up (Goyal et al. 2017, section 2.2). With p = (step - warmup_steps) / (total_steps -
/// warmup_steps) clamped to [0, 1]:
///   constant    1
///   step        gamma^floor(step / step_size)
///   cosine      minimum + (1-minimum) * (1 + cos(pi*p))/2      (Loshchilov & Hutter 2017, equation 5, without
///   restarts) polynomial  minimum + (1-minimum) * (1-p)^power
class Schedule {
 public:
  virtual ~Schedule() = default;
  virtual double factor(std::int64_t step) const = 0;
};

/// One schedule by name: its keys of [schedule] and how it is made for a run of `total_steps` applied updates.
struct ScheduleEntry {
  std::string name, help;
  std::function<std::unique_ptr<Options>()> options;
  std::function<std::unique_ptr<Schedule>(const Options&, std::int64_t total_steps)> make;
};

/// constant, step, cosine, polynomial; a new one is one line in schedule.cpp.
const std::vector<ScheduleEntry>& schedules();

}  // namespace mpdist::optim
