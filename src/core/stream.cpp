// SPDX-License-Identifier: Apache-2.0
#include "src/core/stream.hpp"

#include "src/core/cuda.hpp"

namespace mpdist {

Event::Event(Device device, bool timed) : handle_(device == Device::cuda ? cuda::create_event(timed) : nullptr) {}

Event::~Event() {
  if (handle_) cuda::destroy_event(handle_);
}

void Event::record(const Stream& stream) {
  if (!handle_) return;
  cuda::record(handle_, stream.handle());
  recorded_ = true;
}

void Event::synchronize() const {
  if (recorded_) cuda::synchronize_event(handle_);
}

bool Event::happened() const {
  return !recorded_ || cuda::happened(handle_);
}

double Event::seconds_since(const Event& earlier) const {
  return 1e-3 * static_cast<double>(cuda::elapsed_ms(earlier.handle_, handle_));
}

Stream::Stream(Pool& pool) : pool_(&pool), handle_(pool.device() == Device::cuda ? cuda::create_stream() : nullptr) {}

Stream::~Stream() {
  if (handle_) cuda::destroy_stream(handle_);
}

void Stream::synchronize() const {
  if (handle_) cuda::synchronize_stream(handle_);
}

void Stream::wait(const Event& event) const {
  if (handle_ && event.recorded_) cuda::wait(handle_, event.handle());
}

void* Stream::workspace(std::size_t bytes) {
  if (!block_.get() || block_.get()->bytes < bytes) {
    synchronize();  // the old one may still be in use, and what frees it may not know this stream
    block_ = BlockRef();
    block_ = pool_->allocate(bytes, MemoryKind::workspace);
  }
  return block_.get()->data;
}

}  // namespace mpdist
