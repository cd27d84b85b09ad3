// SPDX-License-Identifier: Apache-2.0
#include "launch/checkpoint_file.hpp"

#include <filesystem>
#include <optional>

#include "src/checkpoint/folder.hpp"
#include "src/core/error.hpp"

namespace mpdist::launch {

std::string checkpoint_file(const std::string& argument) {
  std::error_code ignored;
  if (!std::filesystem::exists(argument, ignored)) {
    throw UsageError(argument + ": no such file; expected a checkpoint (step_*.h5) or the output directory of a run");
  }
  if (!std::filesystem::is_directory(argument, ignored)) return argument;
  for (const std::string& folder : {argument + "/checkpoints", argument}) {
    if (const std::optional<checkpoint::Found> newest = checkpoint::latest(folder)) return newest->path;
  }
  throw UsageError(argument + ": this directory holds no checkpoint (step_*.h5)");
}

}  // namespace mpdist::launch
