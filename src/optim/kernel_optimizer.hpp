// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "src/core/host_array.hpp"
#include "src/optim/flat_array.hpp"
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

/// What the optimizers share, whatever their formula: slots and a segment a parameter over the store's trainable
/// elements, and an update that is one call of one kernel. The store outlives it.
class KernelOptimizer : public Optimizer {
 public:
  std::vector<Slot> slots() override { return slots_; }
  std::int64_t saturated() const override { return *saturated_; }

 protected:
  KernelOptimizer(const OptimizerOptions& common, ParameterStore& store);

  /// Zeros that a checkpoint keeps under `name`.
  Tensor add_slot(std::string name);
  const std::vector<kernels::OptimizerSegment>& segments() const { return segments_; }

  /// The arguments of an optimizer kernel with the fields filled in that all kernels have.
  template <class Step>
  Step common_arguments(const UpdateArguments& arguments) {
    Step step;
    step.master = trainable(store_, store_.master());
    step.gradient = arguments.gradient;
    if (store_.compute_type() != DType::fp32) step.working = trainable(store_, store_.working());
    step.unscale = arguments.unscale;
    step.clip = arguments.clip;
    step.lr = arguments.lr;
    if constexpr (requires { step.decoupled; }) step.decoupled = decoupled_;
    step.segments = segments_.data();
    step.segment_count = static_cast<std::int64_t>(segments_.size());
    step.saturated = saturated_.data();
    return step;
  }

 private:
  const ParameterStore& store_;
  bool decoupled_;
  std::vector<kernels::OptimizerSegment> segments_;
  std::vector<Slot> slots_;
  HostValue<std::int64_t> saturated_;
};

}  // namespace mpdist::optim
