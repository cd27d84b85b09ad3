// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <driver_types.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "tests/software_gpu/core/operation.hpp"

/// What the program's cudaEvent_t points to. Lives for ever, so that a destroyed event is known as such.
struct CUevent_st {
  using Time = std::chrono::steady_clock::time_point;
  int device = 0;
  unsigned flags = 0;
  bool destroyed = false;
  software_gpu::OperationPtr recorded;  ///< of the last cudaEventRecord; null before the first
  std::shared_ptr<Time> time;           ///< when that operation ran
};

namespace software_gpu {

/// The event of a handle that the program passed; null, with a report, when it is none or destroyed.
CUevent_st* resolve_event(cudaEvent_t handle, std::string_view caller);

/// How many events the program never destroyed.
std::size_t leaked_events();

}  // namespace software_gpu
