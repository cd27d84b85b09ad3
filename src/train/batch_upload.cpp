// SPDX-License-Identifier: Apache-2.0
#include "src/train/batch_upload.hpp"

#include <utility>

#include "src/core/copy.hpp"
#include "src/core/error.hpp"
#include "src/core/log.hpp"

namespace mpdist::train {
namespace {

bool fits(const Tensor& here, const Tensor& there) {
  return here && here.shape() == there.shape() && here.dtype() == there.dtype();
}

Tensor like(const Tensor& host, Pool& pool) {
  return Tensor(host.shape(), host.dtype(), MemoryKind::data, pool);
}

}  // namespace

BatchUpload::BatchUpload(Stream& compute)
    : compute_(compute), copies_(compute.pool()), slots_{Slot(compute.device()), Slot(compute.device())} {}

/// While an exception unwinds, what the copies wait for may never end: an exchange whose peer is gone.
BatchUpload::~BatchUpload() {
  if (unwinding_.unwinding()) return;
  try {
    copies_.synchronize();  // the buffers go back to the pool
  } catch (const Error& error) {
    log::warn("{}", error.what());
  }
}

void BatchUpload::begin(data::Batch batch) {
  require(!begun_, "batch upload: a batch was begun and not taken");
  begun_ = true;
  Slot& slot = slots_[next_];
  slot.arrived.synchronize();  // its host side is about to go
  slot.host = std::move(batch);
  if (compute_.device() == Device::cpu) return;
  for (Slot& room : slots_) make_room(room, slot.host);
  slot.device.attempted = slot.host.attempted;
  slot.device.first_position = slot.host.first_position;
  copies_.wait(slot.free);
  copy(copies_, slot.host.images, slot.device.images);
  copy(copies_, slot.host.labels, slot.device.labels);
  slot.arrived.record(copies_);
}

/// Both slots with the first batch: later the event would lie behind the exchange of a step.
void BatchUpload::make_room(Slot& slot, const data::Batch& batch) {
  if (fits(slot.device.images, batch.images)) return;
  slot.device.images = like(batch.images, compute_.pool());
  slot.device.labels = like(batch.labels, compute_.pool());
  slot.free.record(compute_);  // whoever had this memory before used it on the compute stream
}

data::Batch BatchUpload::take() {
  require(begun_, "batch upload: no batch was begun");
  begun_ = false;
  Slot& slot = slots_[next_];
  next_ = 1 - next_;
  if (compute_.device() == Device::cpu) return std::move(slot.host);
  slots_[next_].free.record(compute_);
  compute_.wait(slot.arrived);
  return slot.device;
}

}  // namespace mpdist::train
