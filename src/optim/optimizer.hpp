// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/optimizer_segment.hpp"
#include "src/core/parameters.hpp"
#include "src/core/schema.hpp"
#include "src/core/stream.hpp"

namespace mpdist::optim {

/// One update's numbers, equal on all ranks.
struct UpdateArguments {
  Tensor gradient;     ///< [trainable elements] wire type, reduced, still multiplied by the loss scale
  double unscale = 1;  ///< M / (loss scale * loss terms)
  float clip = 1;      ///< factor from clipping by global norm
  float lr = 0;
  std::int64_t step = 1;  ///< this update's number, from 1 (bias correction)
};

/// A named FP32 array of the store's layout that belongs in the checkpoint: /optimizer/<slot>/<parameter>.
struct Slot {
  std::string name;  ///< "momentum", "m", "v"
  Tensor values;     ///< [trainable elements] FP32
};

/// Applies one update to masters and working copy. Built on a finalized store.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual void update(Stream& stream, const UpdateArguments& arguments) = 0;
  virtual std::vector<Slot> slots() = 0;
  /// Working elements that saturated in the last update; to be read after stream.synchronize().
  virtual std::int64_t saturated() const = 0;
};

/// One element of [[optimizer.groups]]: parameters with their own rate and decay.
struct GroupOptions : Options {
  std::string pattern;                                        ///< of parameter names, `*` stands for anything: "*.bias"
  double lr_scale = 1;                                        ///< factor on the learning rate
  NumberOrWord weight_decay{.number = 0, .word = "default"};  ///< "default": as without the group
  void describe(Schema& schema) override;
};

/// Keys of [optimizer] that every optimizer has.
struct OptimizerOptions {
  double lr = 0.1;
  double weight_decay = 0;
  std::string decay = "decoupled";                   ///< or "coupled"
  double clip_norm = 0;                              ///< 0: no clipping
  double ema_decay = 0;                              ///< 0: no average
  TableList groups = TableList::of<GroupOptions>();  ///< of GroupOptions; the first whose pattern matches counts
};

/// One optimizer by name, with its own keys.
struct OptimizerEntry {
  std::string name, help;
  std::function<std::unique_ptr<Options>()> options;
  std::function<std::unique_ptr<Optimizer>(const Options&, const OptimizerOptions&, ParameterStore&)> make;
};

/// sgd, adamw, rmsprop, lion, lars, lamb; a new one is one line in registry.cpp.
const std::vector<OptimizerEntry>& optimizers();

const GroupOptions& group_of(const TableList::Element& element);

/// A segment for each parameter that is not frozen: rate and decay of the first group whose pattern matches its name;
/// without one, the plain rate, decay for weights, none for norms and biases.
std::vector<kernels::OptimizerSegment> make_segments(const ParameterStore& store, const OptimizerOptions& common);

}  // namespace mpdist::optim
