// SPDX-License-Identifier: Apache-2.0
#include "src/nn/batch_norm.hpp"

#include "kernels/batch_norm.hpp"
#include "src/core/copy.hpp"

namespace mpdist::nn {

BatchNorm::BatchNorm(ParameterStore& store, std::string name, std::int64_t channels, bool relu, float momentum)
    : name_(std::move(name)),
      gamma_(&store.add(name_, "gamma", {channels}, ParameterRole::norm, Initializer::ones)),
      beta_(&store.add(name_, "beta", {channels}, ParameterRole::norm, Initializer::zeros)),
      mean_(&store.add_statistic(name_, "mean", channels, 0, momentum)),
      variance_(&store.add_statistic(name_, "variance", channels, 1, momentum)),
      relu_(relu) {}

Variable BatchNorm::infer(const Pass& pass, const Variable& x, const Variable& residual) const {
  const Tensor y = pass.like(x.value);
  const ParameterStore& store = pass.parameters;
  kernels::batch_norm_inference(pass.stream, {.x = x.value,
                                              .gamma = store.master(*gamma_),
                                              .beta = store.master(*beta_),
                                              .mean = ParameterStore::slice(store.statistics(), *mean_),
                                              .variance = ParameterStore::slice(store.statistics(), *variance_),
                                              .residual = residual.value,
                                              .y = y,
                                              .relu = relu_});
  return pass.finish(name_, "batch_norm", y, {}, {});
}

Variable BatchNorm::operator()(const Pass& pass, const Variable& x, const Variable& residual) const {
  if (!pass.training()) return infer(pass, x, residual);
  const std::int64_t channels = gamma_->shape[0];
  if (x.value.elements() < 2 * channels) {  // every shard has this shape, so every rank throws this
    throw collective(
        UsageError(fmt::format("batch norm {}: a shard has one value per channel (activation {}), expected 2 or "
                               "more: lower batch.shards, or raise batch.global or the image size",
                               name_, x.value.shape().to_string())));
  }
  const Tensor y = pass.like(x.value), gamma = pass.parameters.master(*gamma_);
  const Tensor rstd({channels}, DType::fp32, MemoryKind::activations, pass.stream.pool());
  const Tensor mean({channels}, DType::fp32, MemoryKind::activations, pass.stream.pool());
  kernels::batch_norm_forward(pass.stream,
                              {.x = x.value,
                               .gamma = gamma,
                               .beta = pass.parameters.master(*beta_),
                               .residual = residual.value,
                               .y = y,
                               .mean = mean,
                               .rstd = rstd,
                               .unbiased_variance = ParameterStore::slice(pass.shard_statistics, *variance_),
                               .relu = relu_});
  copy(pass.stream, mean, ParameterStore::slice(pass.shard_statistics, *mean_));
  Tape* tape = pass.tape;
  return pass.finish(name_, "batch_norm", y, {gamma_, beta_},
                     [this, tape, x, y, gamma, mean, rstd, residual = residual.node](const Tensor& dy) {
                       const Tensor dx(dy.shape(), dy.dtype(), MemoryKind::activations, tape->stream().pool());
                       const ParameterGradient dbeta = tape->gradient_of(*beta_), dgamma = tape->gradient_of(*gamma_);
                       kernels::batch_norm_backward(tape->stream(), {.x = x.value,
                                                                     .y = relu_ ? y : Tensor(),
                                                                     .gamma = gamma,
                                                                     .mean = mean,
                                                                     .rstd = rstd,
                                                                     .dy = dy,
                                                                     .dx = dx,
                                                                     .dgamma = dgamma.values,
                                                                     .dbeta = dbeta.values,
                                                                     .relu = relu_,
                                                                     .accumulate = dgamma.accumulate});
                       tape->differentiated(*beta_);
                       tape->differentiated(*gamma_);
                       tape->accumulate(x.node, dx);
                       tape->accumulate(residual, dy);
                     });
}

}  // namespace mpdist::nn
