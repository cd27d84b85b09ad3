// SPDX-License-Identifier: Apache-2.0
// Matrix products and convolutions, at shapes of ResNet-50 on images of 224 x 224.
#include "benchmarks/kernels/cases.hpp"
#include "kernels/conv2d.hpp"
#include "kernels/conv_norm.hpp"
#include "kernels/linear.hpp"

namespace mpdist::benchmarks {
namespace {

using namespace kernels;

template <class Make, class Kernel>
std::function<std::function<void()>(Operands&)> call(Kernel kernel, Make arguments) {
  return [kernel, arguments](Operands& operands) -> std::function<void()> {
    return [stream = &operands.stream(), kernel, a = arguments(operands)] { kernel(*stream, a); };
  };
}

double bytes_of(const Shape& shape, DType type) {
  return static_cast<double>(shape.elements()) * static_cast<double>(size_of(type));
}

/// A convolution of the network, divided.
struct Layer {
  Shape x, weight, y;
  Conv2dGeometry geometry;
  DType type;

  Layer(const Sizes& sizes, DType t, std::int64_t extent, std::int64_t in, std::int64_t out, std::int64_t kernel,
        std::int64_t stride)
      : geometry{.stride = stride, .padding = kernel / 2}, type(t) {
    const auto channels = [&](std::int64_t c) { return c < 8 ? c : c / sizes.divisor; };
    const std::int64_t side = std::max<std::int64_t>(extent / sizes.divisor, 3);
    x = {sizes.images, side, side, channels(in)};
    weight = {channels(out), kernel, kernel, channels(in)};
    y = {sizes.images, geometry.output_extent(side, kernel), geometry.output_extent(side, kernel), channels(out)};
  }
  double operations() const {
    return 2.0 * static_cast<double>(y.elements()) * static_cast<double>(weight.elements() / weight[0]);
  }
  double bytes() const { return bytes_of(x, type) + bytes_of(weight, type) + bytes_of(y, type); }
  std::string text() const { return fmt::format("{} {}x{} > {}", x.to_string(), weight[1], weight[2], weight[0]); }
  Tensor weights(Operands& o) const { return o.in(weight, type, 0.125F); }
  Tensor channel(Operands& o) const { return o.positive({weight[0]}, DType::fp32); }
  Tensor channel_out(Operands& o) const { return o.out({weight[0]}, DType::fp32); }
};

ConvNormForward conv_norm_operands(Operands& o, const Layer& layer) {
  return {.x = o.in(layer.x, layer.type),
          .weight = layer.weights(o),
          .z = o.out(layer.y, layer.type),
          .geometry = layer.geometry,
          .gamma = layer.channel(o),
          .beta = layer.channel(o),
          .mean = layer.channel_out(o),
          .rstd = layer.channel_out(o),
          .unbiased_variance = layer.channel_out(o),
          .scale = layer.channel_out(o),
          .shift = layer.channel_out(o)};
}

ConvNormBackward conv_norm_gradients(Operands& o, const Layer& layer) {
  return {.x = o.in(layer.x, layer.type),
          .weight = layer.weights(o),
          .z = o.in(layer.y, layer.type),
          .gamma = layer.channel(o),
          .mean = layer.channel(o),
          .rstd = layer.channel(o),
          .g = o.in(layer.y, layer.type),
          .sums = o.in({2, layer.weight[0]}, DType::fp32),
          .geometry = layer.geometry,
          .dweight = o.out(layer.weight, DType::fp32),
          .dx = o.out(layer.x, layer.type)};
}

void add_convolution(std::vector<Case>& cases, const Layer& layer) {
  const double backward = 2 * layer.bytes() + 2 * bytes_of(layer.weight, DType::fp32);
  cases.push_back(
      {"conv2d_forward", layer.text(), layer.bytes(), layer.operations(), call(conv2d_forward, [layer](Operands& o) {
         return Conv2dForward{.x = o.in(layer.x, layer.type),
                              .weight = layer.weights(o),
                              .y = o.out(layer.y, layer.type),
                              .geometry = layer.geometry};
       })});
  cases.push_back(
      {"conv2d_backward", layer.text(), backward, 2 * layer.operations(), call(conv2d_backward, [layer](Operands& o) {
         return Conv2dBackward{.x = o.in(layer.x, layer.type),
                               .weight = layer.weights(o),
                               .dy = o.in(layer.y, layer.type),
                               .dx = o.out(layer.x, layer.type),
                               .dweight = o.out(layer.weight, DType::fp32),
                               .geometry = layer.geometry};
       })});
  cases.push_back({"conv_norm_forward", layer.text(), layer.bytes(), layer.operations(),
                   call(conv_norm_forward, [layer](Operands& o) { return conv_norm_operands(o, layer); })});
  cases.push_back({"conv_norm_backward", layer.text(), backward + bytes_of(layer.y, layer.type), 2 * layer.operations(),
                   call(conv_norm_backward, [layer](Operands& o) { return conv_norm_gradients(o, layer); })});
}

void add_linear(std::vector<Case>& cases, std::int64_t rows, std::int64_t in, std::int64_t out, DType type) {
  const Shape x{rows, in}, weight{out, in}, y{rows, out};
  const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  const double bytes = bytes_of(x, type) + bytes_of(weight, type) + bytes_of(y, type);
  const std::string text = fmt::format("[{}, {}] > {}", rows, in, out);
  cases.push_back(
      {"linear_forward", text, bytes, operations, call(linear_forward, [=](Operands& o) {
         return LinearForward{o.in(x, type), o.in(weight, type, 0.125F), o.in({out}, type), o.out(y, type), true};
       })});
  // dy becomes g and is read by both products; dx; dweight in FP32
  const double backward = 2 * bytes + bytes_of(y, type) + bytes_of(weight, DType::fp32) - bytes_of(weight, type);
  cases.push_back({"linear_backward", text, backward, 2 * operations, call(linear_backward, [=](Operands& o) {
                     return LinearBackward{.x = o.in(x, type),
                                           .weight = o.in(weight, type, 0.125F),
                                           .y = o.in(y, type),
                                           .dy = o.in_out(y, type),
                                           .dx = o.out(x, type),
                                           .dweight = o.out(weight, DType::fp32),
                                           .dbias = o.out({out}, DType::fp32),
                                           .relu = true};
                   })});
}

}  // namespace

std::vector<Case> matrix_cases(const Sizes& sizes, DType type) {
  std::vector<Case> cases;
  add_linear(cases, sizes.product, sizes.product / 2, sizes.product / 2, type);
  add_linear(cases, sizes.images, 2048 / sizes.divisor, 1000 / sizes.divisor, type);
  add_convolution(cases, {sizes, type, 224, 3, 64, 7, 2});
  add_convolution(cases, {sizes, type, 56, 64, 256, 1, 1});
  add_convolution(cases, {sizes, type, 56, 64, 64, 3, 1});
  add_convolution(cases, {sizes, type, 14, 256, 256, 3, 1});
  add_convolution(cases, {sizes, type, 14, 1024, 512, 1, 1});
  return cases;
}

Case product_case(std::int64_t rows, std::int64_t in, std::int64_t out, DType type) {
  const Shape x{rows, in}, weight{out, in}, y{rows, out};
  return {"product", fmt::format("[{}, {}] > {}", rows, in, out),
          bytes_of(x, type) + bytes_of(weight, type) + bytes_of(y, type),
          2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out),
          call(linear_forward, [=](Operands& o) {
            return LinearForward{.x = o.in(x, type), .weight = o.in(weight, type, 0.125F), .y = o.out(y, type)};
          })};
}

std::vector<Case> all_cases(const Sizes& sizes, DType type) {
  std::vector<Case> all;
  for (auto* make : {optimizer_cases, gradient_cases, elementwise_cases, layer_cases, matrix_cases}) {
    std::ranges::move(make(sizes, type), std::back_inserter(all));
  }
  return all;
}

}  // namespace mpdist::benchmarks
