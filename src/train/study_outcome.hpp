// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/train/config.hpp"

namespace mpdist::train {

/// What a run came to: read from its output directory, so that a run of yesterday counts like one of just now.
struct RunOutcome {
  bool diverged = false;     ///< its numerics could not go on, or its last evaluation is not finite
  std::string reason = {};   ///< of a diverged run: the diagnosis of the last skipped step, where there was one
  double accuracy = 0;       ///< fraction, of the last evaluation; NaN where there is none
  double loss = 0;           ///< mean over the test samples; NaN where there is none
  std::int64_t step = 0;     ///< applied updates
  std::int64_t skipped = 0;  ///< batches
  double samples_per_s = 0;  ///< of all ranks: median over the logged steps
  std::vector<std::pair<std::string, std::int64_t>> peak_bytes = {};  ///< by kind of memory, largest over ranks
};

/// The outcome in `config`'s output directory when a run of this config has come to its end there; nothing where there
/// is none, or only a part of one, or one of another length. UsageError when it was a run with other fixed keys.
std::optional<RunOutcome> finished_outcome(const Config& config);

/// UsageError when the newest checkpoint in `config`'s output directory, where there is one, is of other training data.
void refuse_other_data(const Config& config, std::uint64_t digest);

/// For a run that training left without an outcome: UsageError when it had another length before.
void refuse_other_length(const Config& config);

/// The outcome that the events of `path`, a metrics.jsonl whose text is `jsonl`, tell; nothing when they do not come to
/// an end. FormatError for an end that lacks something.
std::optional<RunOutcome> outcome_of_events(const std::string& jsonl, const std::string& path = "metrics.jsonl");

}  // namespace mpdist::train
