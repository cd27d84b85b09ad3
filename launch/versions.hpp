// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "src/train/agreement.hpp"

namespace mpdist::launch {

/// Build, libraries and instruction set of this process: compared over all ranks at start, kept in the checkpoint and
/// the manifest, shown by `mpdist doctor`.
std::vector<train::Fact> version_facts();

/// On one line: "build: ...; oneDNN: 2.6.3; ...".
std::string facts_line(const std::vector<train::Fact>& facts);

}  // namespace mpdist::launch
