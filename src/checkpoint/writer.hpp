// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "src/checkpoint/checkpoint.hpp"
#include "src/core/stream.hpp"

namespace mpdist::checkpoint {

/// What one finished save was.
struct Written {
  std::string path;
  std::int64_t bytes = 0;  ///< of tensor elements
  double copy_s = 0;       ///< from begin() to the end of the copy
  double write_s = 0;      ///< from there until the file is in place
};

/// Saves in the background, one save at a time; rank 0 owns one. A save copies the live tensors, from a GPU on a stream
/// of its own, into host buffers that are kept for the next one (MemoryKind::checkpoint), then writes the file at low
/// priority. The caller's part:
///
///     writer.begin(live, path);   // before the next forward pass; what wrote `live` has been waited for
///     writer.wait_copied();       // before the first change of what `live` views
///     if (auto error = writer.take_error()) ...   // now and then: a save that failed; the run may go on
///     writer.wait_written();      // after the last save
///
/// All calls from one thread.
class Writer {
 public:
  /// After each successful save the folder of `path` is pruned to `keep` checkpoints and the best; 0 keeps all. `pool`:
  /// of the live tensors.
  explicit Writer(std::int64_t keep = 0, Pool& pool = Pool::host()) : keep_(keep), copies_(pool) {}
  /// Waits for a running save.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Returns at once unless the save before still runs, which is waited for. `live` tensors are views that must neither
  /// change before wait_copied() returns nor be freed.
  void begin(Checkpoint live, std::string path);
  void wait_copied();
  void wait_written();
  bool busy() const;

  /// The message of the newest finished save if it failed, and what it was if it succeeded; each is given once. An
  /// error that nobody took is logged by the next begin().
  std::optional<std::string> take_error();
  std::optional<Written> take_written();

 private:
  void save(Checkpoint& live, const std::string& path);
  void copy(const Checkpoint& live);
  void finish(std::optional<std::string> error, std::optional<Written> written);

  const std::int64_t keep_;
  const Stream copies_;  ///< of the saving thread
  Checkpoint snapshot_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool copied_ = true, running_ = false;
  std::optional<std::string> error_;
  std::optional<Written> written_;
};

}  // namespace mpdist::checkpoint
