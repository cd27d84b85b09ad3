// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/checkpoint/checkpoint.hpp"

namespace mpdist::checkpoint {

/// The checkpoints of one run: files step_<step, at least 8 digits>.h5 in one folder, and best.json. A folder that does
/// not exist holds none.
struct Found {
  std::string path;
  std::int64_t step = 0;
};

std::string path_of(const std::string& folder, std::int64_t step);

/// Newest first, by the step in the name; nothing is opened.
std::vector<Found> list(const std::string& folder);
std::optional<Found> latest(const std::string& folder);

struct Loaded {
  std::string path;
  Checkpoint checkpoint;
};

/// Reads the newest one that is whole. Each damaged one before it is named in one log line and renamed to
/// <name>.damaged, so that it no longer counts among those that prune() keeps; a best that was later is forgotten. All
/// damaged: FormatError, and nothing is renamed. None: nothing.
std::optional<Loaded> load_newest(const std::string& folder);

/// Which checkpoint had the best evaluation; kept in best.json (keys file, step, metric, value).
struct Best {
  std::int64_t step = 0;
  std::string metric;
  double value = 0;
};
/// Nothing when none was recorded or its file is gone. Throws FormatError for a best.json that cannot be read.
std::optional<Best> best(const std::string& folder);
void record_best(const std::string& folder, const Best& best);

/// Keeps the `keep` newest (at least one) and the best, removes the others.
void prune(const std::string& folder, std::int64_t keep);

/// For a run that goes on from `step` though there are later checkpoints: renames those to <name>.lost and forgets a
/// best that was later, so that neither a restart nor prune() takes them for the new run's. Returns how many.
int set_aside_after(const std::string& folder, std::int64_t step);

}  // namespace mpdist::checkpoint
