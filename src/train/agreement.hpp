// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace mpdist::train {

/// Runs `local` (no collectives inside) on every rank. When it throws anywhere, every rank throws the same collective
/// error: the text alone when all ranks failed alike, else led by the first rank that failed and its host.
void together(comm::Communicator& communicator, const std::function<void()>& local);

/// Something all ranks must have alike at start: "HDF5 version" -> "1.10.8".
struct Fact {
  std::string item, value;
};

/// Compares the facts of all ranks. Throws a collective UsageError that names the first item that differs, its values
/// and the ranks that have each.
void agree_on(comm::Communicator& communicator, const std::vector<Fact>& facts);

}  // namespace mpdist::train
