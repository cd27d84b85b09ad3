// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>

namespace mpdist::checkpoint {

/// One job at a time in an output directory: `<folder>/lock` holds pid, start time and host of who has it. A live
/// holder is waited for, then refused with UsageError; one that ended on this host (kill -9) is taken over, by one
/// starter only when several try. A holder on another host counts as live, as nobody here can tell. The destructor
/// removes the file.
class OutputLock {
 public:
  explicit OutputLock(const std::string& folder, std::chrono::milliseconds wait = std::chrono::seconds(15));
  ~OutputLock();
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace mpdist::checkpoint
