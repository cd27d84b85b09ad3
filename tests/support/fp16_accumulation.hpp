// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "kernels/cpu/vector.hpp"
#include "src/nn/pass.hpp"

namespace mpdist::test {

/// Where the products of a convolution are summed.
enum class Accumulator : unsigned char { fp32, fp16 };

/// y = relu(bias + w * x): a first layer, 3x3, from one channel to 16, as a tape operation whose sums (over taps in y,
/// over images and pixels in dw and dbias) are kept in the accumulator's type after every addition. Written for clarity
/// and FP16 compute only: the product's convolutions always accumulate in FP32.
class AccumulatingConvolution {
 public:
  static constexpr std::int64_t kChannels = kernels::cpu::kLanes, kTaps = 9;

  AccumulatingConvolution(ParameterStore& store, const std::string& name, Accumulator accumulator)
      : name_(name),
        weight_(store.add(name, "weight", {kChannels, 3, 3, 1}, ParameterRole::weight, Initializer::he_normal, kTaps,
                          kTaps * kChannels)),
        bias_(store.add(name, "bias", {kChannels}, ParameterRole::bias, Initializer::zeros)),
        accumulator_(accumulator) {}

  nn::Variable operator()(const nn::Pass& pass, const Tensor& images) const {
    const Shape& in = images.shape();
    const Tensor y = pass.activation({in[0], in[1], in[2], kChannels});
    forward(pass.parameters, images, y);
    nn::Tape* tape = pass.tape;
    return pass.finish(name_, "accumulating_convolution", y, {&weight_, &bias_},
                       [this, tape, images, y](const Tensor& dy) { backward(*tape, images, y, dy); });
  }

 private:
  using Vector = kernels::cpu::F32x16;

  /// a + b*c, rounded to FP16 where that is the accumulator.
  Vector accumulated(Vector a, Vector b, Vector c) const {
    using namespace kernels::cpu;
    const Vector sum = a + b * c;
    if (accumulator_ == Accumulator::fp32) return sum;
    alignas(64) half rounded[kChannels];
    store(rounded, sum);
    return load(rounded);
  }

  /// Calls body(tap, pixel under it) for every tap of the window around `pixel` that lies in its image.
  template <class Body>
  static void for_each_tap(const Shape& shape, std::int64_t pixel, Body body) {
    const std::int64_t height = shape[1], width = shape[2], image = pixel / (height * width),
                       p = pixel % (height * width);
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const std::int64_t row = p / width + tap / 3 - 1, column = p % width + tap % 3 - 1;
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      body(static_cast<std::size_t>(tap), (image * height + row) * width + column);
    }
  }

  void forward(const ParameterStore& store, const Tensor& x, const Tensor& y) const {
    using namespace kernels::cpu;
    const Tensor weight = store.working(weight_), bias = store.working(bias_);  // [16, 3, 3, 1], [16]
    float by_tap[kTaps][kChannels];
    for (std::int64_t i = 0; i < kTaps * kChannels; ++i) {
      by_tap[i % kTaps][i / kTaps] = to_float(weight.data<half>()[i]);
    }
    for (std::int64_t pixel = 0; pixel < x.elements(); ++pixel) {
      Vector sum = load(bias.data<half>());
      for_each_tap(x.shape(), pixel, [&](std::size_t tap, std::int64_t source) {
        sum = accumulated(sum, broadcast(to_float(x.data<half>()[source])), load(by_tap[tap]));
      });
      kernels::cpu::store(y.data<half>() + pixel * kChannels, max(sum, broadcast(0.0F)));
    }
  }

  void backward(nn::Tape& tape, const Tensor& x, const Tensor& y, const Tensor& dy) const {
    using namespace kernels::cpu;
    const Vector zero = broadcast(0.0F), one = broadcast(1.0F);
    std::array<Vector, kTaps> dw;
    dw.fill(zero);
    Vector dbias = zero;
    for (std::int64_t pixel = 0; pixel < x.elements(); ++pixel) {
      const Vector closed = load(dy.data<half>() + pixel * kChannels);
      const Vector gradient = select(less_equal(load(y.data<half>() + pixel * kChannels), zero), zero, closed);
      dbias = accumulated(dbias, gradient, one);
      for_each_tap(x.shape(), pixel, [&](std::size_t tap, std::int64_t source) {
        dw[tap] = accumulated(dw[tap], broadcast(to_float(x.data<half>()[source])), gradient);
      });
    }
    const Tensor weight_gradient = tape.gradient_of(weight_).values, bias_gradient = tape.gradient_of(bias_).values;
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
      float lane[kChannels];
      store(lane, dw[tap]);
      for (std::size_t o = 0; o < kChannels; ++o) weight_gradient.data<float>()[o * kTaps + tap] = lane[o];
    }
    store(bias_gradient.data<float>(), dbias);
    tape.differentiated(weight_);
    tape.differentiated(bias_);
  }

  std::string name_;
  const Parameter& weight_;
  const Parameter& bias_;
  Accumulator accumulator_;
};

}  // namespace mpdist::test
