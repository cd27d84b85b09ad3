// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "src/nn/conv2d.hpp"

namespace mpdist::nn {

struct NormNode;  // one norm between the operation that made it and those that use its result

/// The result of a ConvNorm, written only when somebody reads it. A ConvNorm that reads it first writes it tile by tile
/// in front of its convolution, and in the backward pass finishes its gradient tile by tile behind its own. To every
/// other operation it is a Variable (written whole, if nobody did so yet), and every Variable is a Deferred. So keep
/// what flows between ConvNorms in a Deferred, and let the main path read a value before shortcuts do.
class Deferred {
 public:
  Deferred() = default;                                            ///< no value
  Deferred(Variable variable) : variable_(std::move(variable)) {}  // NOLINT: a plain value is one as well
  operator Variable() const;                                       // NOLINT: see above
  Shape shape() const;

 private:
  friend class ConvNorm;
  explicit Deferred(std::shared_ptr<NormNode> norm) : norm_(std::move(norm)) {}

  std::shared_ptr<NormNode> norm_;  ///< null: variable_ is the value
  Variable variable_;
};

/// Convolution without bias, batch norm, residual and ReLU (where options.relu) as one operation:
///   y = activation((z - mean) * rstd * gamma + beta + residual),  z = conv(x, weight)
/// as Conv2d and BatchNorm have it, with their parameters and statistics: <name>.weight, <name>.norm.gamma and .beta,
/// <name>.norm.mean and .variance. An observer sees z ("conv2d" of <name>) and y ("batch_norm" of <name>.norm) as soon
/// as they are made, and their gradients, that of y after the ReLU's mask where a ConvNorm finished it. What it changes
/// in z comes after z's statistics.
class ConvNorm {
 public:
  /// options.bias must be false: the norm has its own.
  ConvNorm(ParameterStore& store, std::string name, Conv2dOptions options, float momentum = 0.1F);
  Deferred operator()(const Pass& pass, const Deferred& x, const Deferred& residual = {}) const;

 private:
  struct Input;
  Input take_input(const Deferred& x) const;
  void take_residual(NormNode& node, const Deferred& residual) const;
  void convolve(const Pass& pass, Input& input, NormNode& node) const;
  void differentiate(Tape& tape, const Input& input, NormNode& node, const Tensor& dy) const;
  void differentiate_norm(Tape& tape, NormNode& node, const Tensor& dy) const;

  std::string name_, norm_name_;
  Conv2dOptions options_;
  const Parameter *weight_, *gamma_, *beta_;
  const Statistic *mean_, *variance_;
};

}  // namespace mpdist::nn
