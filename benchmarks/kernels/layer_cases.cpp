// SPDX-License-Identifier: Apache-2.0
// Pooling, norms and the loss, at shapes of ResNet-50 on images of 224 x 224.
#include "benchmarks/kernels/cases.hpp"
#include "kernels/batch_norm.hpp"
#include "kernels/deferred_norm.hpp"
#include "kernels/pooling.hpp"
#include "kernels/softmax_cross_entropy.hpp"

namespace mpdist::benchmarks {
namespace {

using namespace kernels;

/// A case on a tensor of this shape that moves so many bytes in all.
template <class Make, class Kernel>
Case layer(const char* name, const Shape& shape, double bytes, Kernel kernel, Make arguments) {
  return {.name = name,
          .shape = shape.to_string(),
          .bytes = bytes,
          .make = [kernel, arguments](Operands& operands) -> std::function<void()> {
            return [stream = &operands.stream(), kernel, a = arguments(operands)] { kernel(*stream, a); };
          }};
}

/// [n, extent, extent, channels] of the network at full size, divided.
Shape images(const Sizes& sizes, std::int64_t extent, std::int64_t channels) {
  const std::int64_t side = std::max<std::int64_t>(extent / sizes.divisor, 2);
  return {sizes.images, side, side, channels / sizes.divisor};
}

struct Norm {
  Shape shape, channels;
  DType type;
  explicit Norm(const Shape& x, DType t) : shape(x), channels{x[-1]}, type(t) {}
  Tensor scale(Operands& o) const { return o.positive(channels, DType::fp32); }
  Tensor shift(Operands& o) const { return o.in(channels, DType::fp32, 0.25F); }
  Tensor channel_out(Operands& o) const { return o.out(channels, DType::fp32); }
  Tensor sums(Operands& o) const { return o.out({2, channels[0]}, DType::fp32); }
};

BatchNormForward batch_norm_operands(Operands& o, const Norm& norm) {
  return {.x = o.in(norm.shape, norm.type),
          .gamma = norm.scale(o),
          .beta = norm.shift(o),
          .residual = o.in(norm.shape, norm.type),
          .y = o.out(norm.shape, norm.type),
          .mean = norm.channel_out(o),
          .rstd = norm.channel_out(o),
          .unbiased_variance = norm.channel_out(o),
          .relu = true};
}

BatchNormBackward batch_norm_gradients(Operands& o, const Norm& norm) {
  return {.x = o.in(norm.shape, norm.type),
          .y = o.in(norm.shape, norm.type),
          .gamma = norm.scale(o),
          .mean = norm.shift(o),
          .rstd = norm.scale(o),
          .dy = o.in_out(norm.shape, norm.type),
          .dx = o.out(norm.shape, norm.type),
          .dgamma = norm.channel_out(o),
          .dbeta = norm.channel_out(o),
          .relu = true};
}

BatchNormInference batch_norm_evaluation(Operands& o, const Norm& norm) {
  return {.x = o.in(norm.shape, norm.type),
          .gamma = norm.scale(o),
          .beta = norm.shift(o),
          .mean = norm.shift(o),
          .variance = norm.scale(o),
          .y = o.out(norm.shape, norm.type),
          .relu = true};
}

NormApply norm_result(Operands& o, const Norm& norm) {
  return {.x = o.in(norm.shape, norm.type),
          .scale = norm.scale(o),
          .shift = norm.shift(o),
          .residual = o.in(norm.shape, norm.type),
          .y = o.out(norm.shape, norm.type),
          .relu = true};
}

NormGradient norm_mask(Operands& o, const Norm& norm) {
  NormGradient a{.dx = o.in_out(norm.shape, norm.type), .y = o.in(norm.shape, norm.type)};
  a.norms[0] = {.z = o.in(norm.shape, norm.type), .mean = norm.shift(o), .rstd = norm.scale(o), .sums = norm.sums(o)};
  return a;
}

std::vector<Case> norm_cases(const Sizes& sizes, DType type) {
  const Norm norm(images(sizes, 56, 256), type);
  const double one = static_cast<double>(norm.shape.elements()) * static_cast<double>(size_of(type));
  const auto on = [norm](auto arguments) { return [norm, arguments](Operands& o) { return arguments(o, norm); }; };
  return {layer("batch_norm_forward", norm.shape, 3 * one, batch_norm_forward, on(batch_norm_operands)),
          layer("batch_norm_backward", norm.shape, 5 * one, batch_norm_backward, on(batch_norm_gradients)),
          layer("batch_norm_inference", norm.shape, 2 * one, batch_norm_inference, on(batch_norm_evaluation)),
          layer("norm_apply", norm.shape, 3 * one, norm_apply, on(norm_result)),
          layer("norm_gradient", norm.shape, 4 * one, norm_gradient, on(norm_mask)),
          layer("norm_coefficients", norm.channels, 24.0 * static_cast<double>(norm.channels[0]), norm_coefficients,
                [norm](Operands& o) {
                  return NormCoefficients{.gamma = norm.scale(o),
                                          .beta = norm.shift(o),
                                          .mean = norm.shift(o),
                                          .variance = norm.scale(o),
                                          .scale = norm.channel_out(o),
                                          .shift = norm.channel_out(o)};
                })};
}

}  // namespace

std::vector<Case> layer_cases(const Sizes& sizes, DType type) {
  const double width = static_cast<double>(size_of(type));
  const Shape large = images(sizes, 112, 64), last = images(sizes, 7, 2048), mean{last[0], 1, 1, last[3]};
  const PoolingGeometry overlapping{.window = 3, .stride = 2, .padding = 1}, all{.window = last[1], .stride = last[1]};
  const std::int64_t pooled = overlapping.output_extent(large[1]);
  const Shape small{large[0], pooled, pooled, large[3]};
  const Shape logits{64 * sizes.images, 1000 / sizes.divisor};
  const auto bytes = [width](const Shape& shape) { return width * static_cast<double>(shape.elements()); };
  std::vector<Case> cases = norm_cases(sizes, type);
  cases.push_back(layer("max_pool_forward", large, bytes(large) + bytes(small), max_pool_forward, [=](Operands& o) {
    return MaxPoolForward{o.in(large, type), o.out(small, type), overlapping};
  }));
  cases.push_back(
      layer("max_pool_backward", large, 2 * bytes(large) + bytes(small), max_pool_backward, [=](Operands& o) {
        return MaxPoolBackward{o.in(large, type), o.in(small, type), o.out(large, type), overlapping};
      }));
  cases.push_back(
      layer("average_pool_forward", last, bytes(last) + bytes(mean), average_pool_forward, [=](Operands& o) {
        return AveragePoolForward{o.in(last, type), o.out(mean, type), all};
      }));
  cases.push_back(
      layer("average_pool_backward", last, bytes(last) + bytes(mean), average_pool_backward, [=](Operands& o) {
        return AveragePoolBackward{o.in(mean, type), o.out(last, type), all};
      }));
  cases.push_back(layer("softmax_cross_entropy", logits, 2 * bytes(logits), softmax_cross_entropy, [=](Operands& o) {
    return SoftmaxCrossEntropy{.logits = o.in(logits, type, 4),
                               .labels = o.labels(logits[0], logits[1]),
                               .dlogits = o.out(logits, type),
                               .loss_sum = o.result<float>(),
                               .correct = o.result<std::int64_t>(),
                               .terms = o.result<std::int64_t>()};
  }));
  return cases;
}

}  // namespace mpdist::benchmarks
