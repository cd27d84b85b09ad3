// SPDX-License-Identifier: Apache-2.0
#include "src/nn/tape.hpp"

#include <algorithm>
#include <utility>

#include "kernels/add.hpp"

namespace mpdist::nn {

Tape::Tape(Stream& stream, const ParameterStore& parameters, GradientReady on_gradient_ready, Observer* observer)
    : stream_(&stream),
      parameters_(&parameters),
      on_gradient_ready_(std::move(on_gradient_ready)),
      observer_(observer),
      uses_(parameters.parameters().size()),
      frozen_so_far_(parameters.frozen() > 0) {}

Variable Tape::record(const std::string& layer, const char* operation, Tensor output,
                      std::initializer_list<const Parameter*> parameters, Backward backward) {
  const auto learns = [](const Parameter* parameter) { return parameter && !parameter->frozen; };
  frozen_so_far_ = frozen_so_far_ && std::none_of(parameters.begin(), parameters.end(), learns);
  if (frozen_so_far_) return {std::move(output)};
  const int node = static_cast<int>(gradients_.size());
  gradients_.emplace_back();
  for (const Parameter* parameter : parameters) {
    if (parameter) ++uses_[parameter->index].open;
  }
  operations_.push_back({&layer, operation, node, std::move(backward)});
  return {std::move(output), node};
}

void Tape::accumulate(int node, const Tensor& gradient) {
  if (node < 0) return;
  require(!gradients_[node].finished, "tape: a gradient was added to after it was finished");
  Tensor& sum = gradients_[node].sum;
  if (!sum) {
    sum = gradient;
  } else {
    kernels::add(*stream_, {.left = sum, .right = gradient, .out = sum});
  }
}

Tensor Tape::take_gradient(int node) {
  return std::exchange(gradients_[node].sum, Tensor());
}

void Tape::finish_gradient(int node, const Tensor& gradient) {
  accumulate(node, gradient);
  gradients_[node].finished = true;
}

ParameterGradient Tape::gradient_of(const Parameter& parameter) {
  Uses& uses = uses_[parameter.index];
  const bool accumulate = std::exchange(uses.begun, true);
  if (parameter.frozen && parameter.role != ParameterRole::norm) return {Tensor(), accumulate};
  if (!accumulate) uses.gradient = Tensor(parameter.shape, DType::fp32, MemoryKind::gradients, stream_->pool());
  return {uses.gradient, accumulate};
}

void Tape::differentiated(const Parameter& parameter) {
  Uses& uses = uses_[parameter.index];
  require(uses.open > 0, "{} differentiated more often than used", parameter.name);
  if (--uses.open > 0) return;
  if (!parameter.frozen) on_gradient_ready_(parameter, uses.gradient);
  uses = {};
}

void Tape::backward() {
  while (!operations_.empty()) {
    Operation operation = std::move(operations_.back());
    operations_.pop_back();
    const Tensor dy = std::move(gradients_[operation.output].sum);
    gradients_.pop_back();
    require(static_cast<bool>(dy), "{} ({}): its output has no gradient", *operation.layer, operation.name);
    if (observer_) observer_->activation_gradient(*operation.layer, operation.name, dy);
    operation.backward(dy);
  }
}

}  // namespace mpdist::nn
