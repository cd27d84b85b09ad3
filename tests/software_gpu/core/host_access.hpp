// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "tests/software_gpu/core/clock.hpp"
#include "tests/software_gpu/core/memory.hpp"

namespace software_gpu {

/// What an unfinished operation does to pinned memory, and so what the host must not do meanwhile.
enum class InFlight {
  read_by_device,     ///< the host may read, not write
  written_by_device,  ///< the host may do neither
};

/// From now on a host access to device memory, to freed pinned memory, or to pinned bytes in flight ends the process
/// with Status::host_touched_device and a line that says which (host-access, use-after-free, missing-wait).
void watch_host_accesses();

/// [offset, offset + bytes) of a pinned allocation is used by an operation until the host has waited for it: a copy's
/// from its submission, others' from when they have run. Only whole pages can be watched: of a range within an
/// allocation those that it fills; an allocation used whole is watched whole.
void begin_in_flight(Allocation& pinned, std::size_t offset, std::size_t bytes, InFlight use,
                     const EpochPtr& operation);

/// The host's clock has advanced: opens again what it has waited for.
void end_in_flight(const Clock& host);

}  // namespace software_gpu
