// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mutex>

namespace software_gpu {

/// A recursive mutex that a wait can let go of whole.
class Mutex {
 public:
  void lock();
  void unlock();
  bool try_lock();
  /// Unlocks however often this thread has locked, lets other threads run for a moment, and locks as before.
  void let_others_run();

 private:
  std::recursive_mutex mutex_;
  int depth_ = 0;  // of the owner
};

/// Held by every API call and by every running operation: `std::lock_guard lock(mutex());`
Mutex& mutex();

}  // namespace software_gpu
