// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/mutex.hpp"

#include <chrono>
#include <thread>

namespace software_gpu {

void Mutex::lock() {
  mutex_.lock();
  ++depth_;
}

void Mutex::unlock() {
  --depth_;
  mutex_.unlock();
}

bool Mutex::try_lock() {
  if (!mutex_.try_lock()) return false;
  ++depth_;
  return true;
}

void Mutex::let_others_run() {
  const int depth = depth_;
  for (int i = 0; i < depth; ++i) unlock();
  std::this_thread::sleep_for(std::chrono::microseconds(50));
  for (int i = 0; i < depth; ++i) lock();
}

Mutex& mutex() {
  static auto* const kMutex = new Mutex;
  return *kMutex;
}

}  // namespace software_gpu
