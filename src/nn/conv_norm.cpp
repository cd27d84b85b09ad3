// SPDX-License-Identifier: Apache-2.0
#include "src/nn/conv_norm.hpp"

#include <utility>

#include "kernels/add.hpp"
#include "kernels/conv_norm.hpp"
#include "src/core/copy.hpp"

namespace mpdist::nn {

struct NormNode {
  Stream* stream = nullptr;
  kernels::NormApply apply;            ///< x is z; y is empty until it is written
  Tensor mean, rstd;                   ///< in training
  Tensor sums;                         ///< of the gradient at y, once `summed`
  std::shared_ptr<NormNode> residual;  ///< the norm without ReLU that made the residual, where this reads it first
  Variable residual_variable;          ///< its node, in any case
  int node = -1;
  bool read = false;     ///< by any operation
  bool written = false;  ///< y
  bool summed = false;   ///< the gradient at y is masked, and its sums are known

  /// Room for y: whoever asks for it writes it.
  const kernels::NormApply& begin() {
    apply.y = Tensor(apply.x.shape(), apply.x.dtype(), MemoryKind::activations, stream->pool());
    written = true;
    return apply;
  }
  /// y, written now if need be.
  const Tensor& value() {
    if (!written) kernels::norm_apply(*stream, begin());
    return apply.y;
  }
  /// Where the sums of the gradient at y go.
  kernels::NormSums waiting() {
    sums = Tensor({2, mean.elements()}, DType::fp32, MemoryKind::activations, stream->pool());
    return {.z = apply.x, .mean = mean, .rstd = rstd, .sums = sums};
  }
  /// Those that wait for the gradient at y: this norm, and that of the residual.
  void waiting(kernels::NormSums (&norms)[2]) {
    norms[0] = waiting();
    if (residual) norms[1] = residual->waiting();
  }
};

Deferred::operator Variable() const {
  if (!norm_) return variable_;
  norm_->read = true;
  return {norm_->value(), norm_->node};
}

Shape Deferred::shape() const {
  return norm_ ? norm_->apply.x.shape() : variable_.value.shape();
}

/// What the convolution reads.
struct ConvNorm::Input {
  Variable x;
  std::shared_ptr<NormNode> norm;  ///< where this is the first to read a norm's result: the last to add to its
                                   ///< gradient; null where that is not needed
  kernels::NormApply apply;        ///< where x is still to be written
  Tensor weight;
};

ConvNorm::ConvNorm(ParameterStore& store, std::string name, Conv2dOptions options, float momentum)
    : name_(std::move(name)), norm_name_(name_ + ".norm"), options_(options) {
  require(!options.bias, "{}: ConvNorm has no bias beside its norm's", name_);
  const std::int64_t in_group = options.in / options.geometry.groups, window = options.kernel * options.kernel;
  weight_ = &store.add(name_, "weight", {options.out, options.kernel, options.kernel, in_group}, ParameterRole::weight,
                       Initializer::he_normal, in_group * window, options.out / options.geometry.groups * window);
  gamma_ = &store.add(norm_name_, "gamma", {options.out}, ParameterRole::norm, Initializer::ones);
  beta_ = &store.add(norm_name_, "beta", {options.out}, ParameterRole::norm, Initializer::zeros);
  mean_ = &store.add_statistic(norm_name_, "mean", options.out, 0, momentum);
  variance_ = &store.add_statistic(norm_name_, "variance", options.out, 1, momentum);
}

ConvNorm::Input ConvNorm::take_input(const Deferred& x) const {
  if (!x.norm_) return {.x = x.variable_};
  NormNode& norm = *x.norm_;
  Input input;
  if (!std::exchange(norm.read, true) && norm.node >= 0) input.norm = x.norm_;
  if (!norm.written) input.apply = norm.begin();
  input.x = {norm.apply.y, norm.node};
  return input;
}

void ConvNorm::take_residual(NormNode& node, const Deferred& residual) const {
  if (!residual.norm_) {
    node.residual_variable = residual.variable_;
    node.apply.residual = residual.variable_.value;
    return;
  }
  NormNode& norm = *residual.norm_;
  node.residual_variable.node = norm.node;
  if (!std::exchange(norm.read, true) && !norm.apply.relu && norm.node >= 0) node.residual = residual.norm_;
  const bool plain = !norm.apply.relu && !norm.apply.residual;
  if (norm.written || !plain) {
    node.apply.residual = norm.value();
    return;
  }
  node.apply.residual = norm.apply.x;
  node.apply.residual_scale = norm.apply.scale;
  node.apply.residual_shift = norm.apply.shift;
}

void ConvNorm::convolve(const Pass& pass, Input& input, NormNode& node) const {
  const std::int64_t channels = options_.out;
  const ParameterStore& store = pass.parameters;
  const Tensor per_channel({4, channels}, DType::fp32, MemoryKind::activations, pass.stream.pool());
  const auto row = [&](std::int64_t i) { return per_channel.rows(i, i + 1).reshaped({channels}); };
  node.apply.scale = row(0), node.apply.shift = row(1);
  kernels::ConvNormForward forward{.x = input.x.value,
                                   .input = input.apply,
                                   .weight = input.weight,
                                   .z = node.apply.x,
                                   .geometry = options_.geometry};
  if (pass.training()) {
    node.mean = row(2), node.rstd = row(3);  // its own: a layer may be used twice
    forward.gamma = store.master(*gamma_), forward.beta = store.master(*beta_);
    forward.mean = node.mean, forward.rstd = node.rstd;
    forward.unbiased_variance = ParameterStore::slice(pass.shard_statistics, *variance_);
    forward.scale = node.apply.scale, forward.shift = node.apply.shift;
  } else {
    kernels::norm_coefficients(pass.stream, {.gamma = store.master(*gamma_),
                                             .beta = store.master(*beta_),
                                             .mean = ParameterStore::slice(store.statistics(), *mean_),
                                             .variance = ParameterStore::slice(store.statistics(), *variance_),
                                             .scale = node.apply.scale,
                                             .shift = node.apply.shift});
  }
  kernels::conv_norm_forward(pass.stream, forward);
  if (!pass.training()) return;
  copy(pass.stream, node.mean, ParameterStore::slice(pass.shard_statistics, *mean_));
}

Deferred ConvNorm::operator()(const Pass& pass, const Deferred& x, const Deferred& residual) const {
  const Shape in = x.shape();
  const auto extent = [&](int dimension) { return options_.geometry.output_extent(in[dimension], options_.kernel); };
  const Shape out{in[0], extent(1), extent(2), options_.out};
  if (pass.training() && out.elements() < 2 * options_.out) {  // every shard has this shape: every rank throws this
    throw collective(
        UsageError(fmt::format("batch norm {}: a shard has one value per channel (activation {}), expected 2 or "
                               "more: lower batch.shards, or raise batch.global or the image size",
                               norm_name_, out.to_string())));
  }
  const auto node = std::make_shared<NormNode>();
  node->stream = &pass.stream;
  node->apply.x = pass.activation(out);
  node->apply.relu = options_.relu;
  Input input = take_input(x);
  input.weight = pass.parameters.working(*weight_);
  take_residual(*node, residual);
  convolve(pass, input, *node);
  input.apply = {};
  if (pass.observer) {
    pass.observer->activation(name_, "conv2d", node->apply.x);
    pass.observer->activation(norm_name_, "batch_norm", node->value());
  }
  if (!pass.training()) return Deferred(node);
  Tape* tape = pass.tape;
  node->node = tape->record(norm_name_, "batch_norm", {}, {weight_, gamma_, beta_},
                            [this, tape, input, node](const Tensor& dy) { differentiate(*tape, input, *node, dy); })
                   .node;
  return Deferred(node);
}

/// Finishes dy where nobody did, and the gradients of gamma and beta; dy goes on to the residual.
void ConvNorm::differentiate_norm(Tape& tape, NormNode& node, const Tensor& dy) const {
  if (!node.summed) {
    kernels::NormGradient gradient{.dx = dy, .y = node.apply.relu ? node.apply.y : Tensor()};
    node.waiting(gradient.norms);
    kernels::norm_gradient(tape.stream(), gradient);
  }
  int row = 1;
  for (const Parameter* parameter : {beta_, gamma_}) {
    row = 1 - row;
    const Tensor sum = node.sums.rows(row, row + 1).reshaped(parameter->shape);
    const ParameterGradient to = tape.gradient_of(*parameter);
    if (to.accumulate) {
      kernels::add(tape.stream(), {.left = to.values, .right = sum, .out = to.values});
    } else {
      copy(tape.stream(), sum, to.values);
    }
    tape.differentiated(*parameter);
  }
  if (node.residual && !tape.has_gradient(node.residual_variable.node)) {  // dy is all there is
    node.residual->summed = true;
    tape.finish_gradient(node.residual_variable.node, dy);
  } else {
    tape.accumulate(node.residual_variable.node, dy);
  }
}

void ConvNorm::differentiate(Tape& tape, const Input& input, NormNode& node, const Tensor& dy) const {
  differentiate_norm(tape, node, dy);
  const ParameterGradient dweight = tape.gradient_of(*weight_);
  const auto like = [&](const Tensor& tensor) {
    return Tensor(tensor.shape(), tensor.dtype(), MemoryKind::activations, tape.stream().pool());
  };
  kernels::ConvNormBackward backward{.x = input.x.value,
                                     .weight = input.weight,
                                     .z = node.apply.x,
                                     .gamma = tape.parameters().master(*gamma_),
                                     .mean = node.mean,
                                     .rstd = node.rstd,
                                     .g = dy,
                                     .sums = node.sums,
                                     .geometry = options_.geometry,
                                     .dweight = dweight.values,
                                     .accumulate = dweight.accumulate};
  if (tape.observer()) backward.dz = like(node.apply.x);
  const int x = input.x.node;
  if (input.norm) {
    backward.dx_more = tape.take_gradient(x);
    backward.mask = input.norm->apply.relu;
    input.norm->waiting(backward.norms);
  }
  if (x >= 0) backward.dx = backward.dx_more ? backward.dx_more : like(input.x.value);
  kernels::conv_norm_backward(tape.stream(), backward);
  if (tape.observer()) tape.observer()->activation_gradient(name_, "conv2d", backward.dz);
  tape.differentiated(*weight_);
  if (input.norm) {
    input.norm->summed = true;
    tape.finish_gradient(x, backward.dx);
  } else {
    tape.accumulate(x, backward.dx);
  }
}

}  // namespace mpdist::nn
