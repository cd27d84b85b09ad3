// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::checkpoint {

/// The name under which a file is written before it takes its real one: "<path>.tmp-<pid>-<start>-<host>". Until it is
/// committed, the destructor removes the file.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& name() const { return name_; }
  /// Renames to the real path and syncs the folder; the caller has synced the file.
  void commit();

 private:
  std::string path_, name_;
  bool committed_ = false;
};

/// Puts a small text file in place of `path` in one step: readers see the old text or the new one.
void replace_file(const std::string& path, const std::string& text);

/// Removes the temporaries in `folder` whose process ran on this host and has ended; returns how many.
int remove_dead_temporaries(const std::string& folder);

}  // namespace mpdist::checkpoint
