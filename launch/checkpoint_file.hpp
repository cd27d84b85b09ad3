// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::launch {

/// The checkpoint that a command-line argument means: a file itself, or the newest one of a run's output directory.
/// UsageError when there is none.
std::string checkpoint_file(const std::string& argument);

}  // namespace mpdist::launch
