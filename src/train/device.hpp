// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/pool.hpp"
#include "src/core/unwinding.hpp"
#include "src/train/agreement.hpp"

namespace mpdist::train {

/// What the ranks of a job compute on, and this rank's own: the CPU, or a GPU of its node by its place among the node's
/// ranks. Made once in a process, before any stream of a GPU, and outlives them; then the pools give the memory back.
class ComputeDevice {
 public:
  /// Collective. `wanted` is run.device. "auto" takes GPUs where every rank has one of its own, else the CPU. "cuda"
  /// without GPUs is a collective UsageError with the reason: no driver, no device, too few for the ranks of a host,
  /// two ranks on one.
  ComputeDevice(const std::string& wanted, comm::Communicator& communicator);
  ~ComputeDevice();
  ComputeDevice(const ComputeDevice&) = delete;
  ComputeDevice& operator=(const ComputeDevice&) = delete;

  /// Where the memory of streams and tensors comes from; decides the device of both.
  Pool& pool() const { return *pool_; }
  bool is_gpu() const { return pool_->device() == Device::cuda; }
  const std::string& model() const { return model_; }  ///< of the GPU; empty on the CPU
  /// One line for people: why "auto" took the CPU though the program has the CUDA backend; else empty.
  const std::string& note() const { return note_; }
  /// Of the GPU, to be equal on all ranks: model, versions of runtime, driver and libraries. Empty on the CPU.
  const std::vector<Fact>& facts() const { return facts_; }

 private:
  Pool* pool_ = &Pool::host();
  std::string model_, note_;
  std::vector<Fact> facts_;
  UnwindingCheck unwinding_;
};

/// What one rank sees of GPUs.
struct DeviceOffer {
  std::string host;
  int devices = 0;     ///< that the rank sees
  std::string bus_id;  ///< of the one that it would take; empty without one
  std::string reason;  ///< why it sees none
};

/// Why these ranks cannot compute on GPUs, one line; empty when each has one of its own.
std::string obstacle(const std::vector<DeviceOffer>& ranks);

}  // namespace mpdist::train
