// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mpdist::train {

/// What ran where: manifest.json of the output directory.
struct Manifest {
  std::vector<std::pair<std::string, std::string>> versions =
      {};  ///< program, git revision, libraries, instruction set
  std::int64_t seed = 0;
  std::int64_t threads_per_rank = 1;
  std::vector<std::string> hosts = {};    ///< [ranks]
  std::vector<int> nodes = {};            ///< [ranks] node number of each rank
  std::vector<std::string> devices = {};  ///< [ranks] device model
};

/// Writes `directory`/manifest.json by way of a temporary name. Throws Error(retry) when the disk is full, LibraryError
/// when it cannot be written otherwise.
void write_manifest(const std::string& directory, const Manifest& manifest);

}  // namespace mpdist::train
