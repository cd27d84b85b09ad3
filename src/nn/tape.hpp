// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/core/parameters.hpp"
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::nn {

/// Sees, and may change, every activation as it is made and every activation gradient as it arrives: diagnosis and
/// planted faults. `layer` is the layer's name, `operation` the kernel's.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void activation(const std::string& layer, const char* operation, const Tensor& value) = 0;
  virtual void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) = 0;
};

/// A value of the forward pass; `node` is its place in the tape, negative where nothing needs its gradient.
struct Variable {
  Tensor value;
  int node = -1;
};

/// A parameter's gradient during the backward pass: FP32, shaped as the parameter; `accumulate` from the second use on.
/// Empty for a frozen weight or bias: kernels leave it out. That of a frozen norm is discarded later: dx needs its
/// sums.
struct ParameterGradient {
  Tensor values;
  bool accumulate = false;
};

/// Records one closure per operation in the forward pass and runs them last to first (reverse-mode differentiation).
/// What a closure holds is freed as soon as it has run. The tape counts the uses of each parameter; when the last one
/// has been differentiated, the gradient is handed to `on_gradient_ready` and then freed; frozen parameters have none.
class Tape {
 public:
  /// dy: gradient of the operation's output, owned by the closure: it may overwrite it.
  using Backward = std::function<void(const Tensor& dy)>;
  using GradientReady = std::function<void(const Parameter&, const Tensor& gradient)>;

  Tape(Stream& stream, const ParameterStore& parameters, GradientReady on_gradient_ready, Observer* observer = nullptr);

  /// Records an operation with one output; the parameters it reads count as used once more. What comes before the first
  /// operation with a parameter that is not frozen needs no gradient: it is not recorded, and its node is negative.
  Variable record(const std::string& layer, const char* operation, Tensor output,
                  std::initializer_list<const Parameter*> parameters, Backward backward);

  /// Adds `gradient` to the gradient of a value. Ownership passes to the tape: never hand over the same memory twice.
  /// Nothing happens for a negative node.
  void accumulate(int node, const Tensor& gradient);

  /// For an operation that is the last to contribute to a value's gradient: takes what the others contributed (empty
  /// where there is nothing yet), adds its own, and hands the whole back. Whoever accumulates after that is an error.
  Tensor take_gradient(int node);
  void finish_gradient(int node, const Tensor& gradient);
  bool has_gradient(int node) const { return static_cast<bool>(gradients_[static_cast<std::size_t>(node)].sum); }

  /// Called by closures: where the gradient of a parameter goes, then that this use is differentiated.
  ParameterGradient gradient_of(const Parameter& parameter);
  void differentiated(const Parameter& parameter);

  /// Runs all closures from the gradients accumulated so far (the seed). The tape is empty afterwards.
  void backward();

  Stream& stream() const { return *stream_; }
  const ParameterStore& parameters() const { return *parameters_; }
  Observer* observer() const { return observer_; }

 private:
  struct Operation {
    const std::string* layer;
    const char* name;
    int output;
    Backward backward;
  };
  struct Gradient {
    Tensor sum;
    bool finished = false;
  };
  struct Uses {
    int open = 0;  ///< uses not yet differentiated
    bool begun = false;
    Tensor gradient;
  };

  Stream* stream_;
  const ParameterStore* parameters_;
  GradientReady on_gradient_ready_;
  Observer* observer_;
  std::vector<Operation> operations_;
  std::vector<Gradient> gradients_;  ///< by node
  std::vector<Uses> uses_;           ///< by parameter index
  bool frozen_so_far_;               ///< some parameters are frozen, and no operation so far had another
};

}  // namespace mpdist::nn
