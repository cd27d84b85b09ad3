// SPDX-License-Identifier: Apache-2.0
// Against its parts, which are tested against double precision: conv2d gives the same bits for equal operands;
// statistics, dz and the sums for other norms are compared with double precision here.
#include "kernels/conv_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/onednn.hpp"
#include "kernels/threads.hpp"
#include "tests/support/fill.hpp"
#include "tests/support/norm_sums.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using test::GuardedTensor;
using test::uniform_tensor;
using test::values_of;
using Values = std::vector<double>;

/// n images [extent, extent, in].
struct Case {
  std::int64_t n, extent, in, out, kernel;
  Conv2dGeometry geometry;
  std::int64_t out_extent() const { return geometry.output_extent(extent, kernel); }
};

const Case kCases[] = {
    {2, 5, 1, 3, 3, {1, 1, 1}},      // smallest
    {33, 8, 16, 16, 3, {1, 1, 1}},   // folded rows, tiles of 3
    {16, 28, 1, 16, 3, {1, 1, 1}},   // first layer
    {16, 14, 16, 32, 3, {2, 1, 1}},  // stride
    {8, 14, 16, 32, 1, {2, 0, 1}},   // shortcut
    {5, 7, 64, 64, 3, {1, 1, 1}},    // odd rows
    {4, 6, 17, 80, 3, {1, 1, 1}},    // tails
    {16, 1, 8, 24, 1, {1, 0, 1}},    // one pixel
    {3, 6, 8, 12, 3, {1, 1, 4}}      // groups
};

GuardedTensor channel_array(std::int64_t channels, std::uint64_t seed, float low = -2, float high = 2) {
  return uniform_tensor({channels}, DType::fp32, seed, 0, low, high);
}

/// A norm of its own channels, as one that made x or its residual.
struct Norm {
  Norm(const Shape& shape, DType type, std::uint64_t seed)
      : z(uniform_tensor(shape, type, seed)),
        mean(channel_array(shape[-1], seed + 1)),
        rstd(channel_array(shape[-1], seed + 2, 0.5F, 2)),
        scale(channel_array(shape[-1], seed + 3)),
        shift(channel_array(shape[-1], seed + 4)),
        sums({2, shape[-1]}, DType::fp32) {}
  NormSums waiting() const { return {z, mean, rstd, sums}; }
  GuardedTensor z, mean, rstd, scale, shift, sums;
};

/// Tensors of one layer, filled.
struct Layer {
  Layer(const Case& c, DType type)
      : geometry(c.geometry),
        x(uniform_tensor({c.n, c.extent, c.extent, c.in}, type, 1)),
        weight(uniform_tensor({c.out, c.kernel, c.kernel, c.in / c.geometry.groups}, type, 2)),
        z({c.n, c.out_extent(), c.out_extent(), c.out}, type),
        g(uniform_tensor(z.view().shape(), type, 3)),
        dz(z.view().shape(), type),
        dx(x.view().shape(), type),
        more(uniform_tensor(x.view().shape(), type, 4)),
        dweight(weight.view().shape(), DType::fp32),
        own(z.view().shape(), type, 20),
        input(x.view().shape(), type, 30),
        other(x.view().shape(), type, 40),
        gamma(channel_array(c.out, 5, 0.5F, 2)),
        beta(channel_array(c.out, 6)),
        variance({c.out}, DType::fp32) {
    test::fill_uniform(own.sums, 7);
  }
  ConvNormForward forward_arguments() const {
    return {.x = x,
            .weight = weight,
            .z = z,
            .geometry = geometry,
            .gamma = gamma,
            .beta = beta,
            .mean = own.mean,
            .rstd = own.rstd,
            .unbiased_variance = variance,
            .scale = own.scale,
            .shift = own.shift};
  }
  /// With everything that may follow, x's own norm and a shortcut's.
  ConvNormBackward backward_arguments() const {
    return {.x = x,
            .weight = weight,
            .z = z,
            .gamma = gamma,
            .mean = own.mean,
            .rstd = own.rstd,
            .g = g,
            .sums = own.sums,
            .geometry = geometry,
            .dweight = dweight,
            .dz = dz,
            .dx = dx,
            .dx_more = more,
            .mask = true,
            .norms = {input.waiting(), other.waiting()}};
  }
  NormApply apply_arguments() const {
    return {.x = input.z,
            .scale = input.scale,
            .shift = input.shift,
            .residual = other.z,
            .residual_scale = other.scale,
            .residual_shift = other.shift,
            .y = x,
            .relu = true};
  }
  Stream& stream = test::stream_under_test();
  Conv2dGeometry geometry;
  GuardedTensor x, weight, z, g, dz, dx, more, dweight;
  Norm own, input, other;
  GuardedTensor gamma, beta, variance;
};

class ConvNorm : public ::testing::Test {
 protected:
  void SetUp() override { cpu::set_threads(1); }
  template <class Body>
  void for_cases(Body body) {
    for (DType type : test::kComputeTypes) {
      for (const Case& c : kCases) {
        SCOPED_TRACE(fmt::format("{} n{} {} {}>{} kernel {} stride {} groups {}", name_of(type), c.n, c.extent, c.in,
                                 c.out, c.kernel, c.geometry.stride, c.geometry.groups));
        Layer layer(c, type);
        body(c, layer);
        EXPECT_TRUE(layer.x.intact() && layer.z.intact() && layer.dz.intact() && layer.dx.intact());
      }
    }
  }
};

void expect_statistics(const Layer& layer) {
  const Values z = values_of(layer.z), gamma = values_of(layer.gamma), beta = values_of(layer.beta),
               mean = values_of(layer.own.mean), rstd = values_of(layer.own.rstd), variance = values_of(layer.variance),
               scale = values_of(layer.own.scale), shift = values_of(layer.own.shift);
  const std::size_t channels = gamma.size();
  const auto n = static_cast<double>(z.size() / channels);
  for (std::size_t c = 0; c < channels; ++c) {
    double m = 0, spread = 0, size = 0;
    for (std::size_t i = c; i < z.size(); i += channels) m += z[i] / n;
    for (std::size_t i = c; i < z.size(); i += channels) {
      spread += std::pow(z[i] - m, 2);
      size = std::max(size, std::abs(z[i]));
    }
    const double r = 1 / std::sqrt(spread / n + 1e-5), factor = gamma[c] * r;
    EXPECT_NEAR(mean[c], m, 4e-7 * size);
    EXPECT_NEAR(rstd[c], r, 1e-5 * r);
    EXPECT_NEAR(variance[c], spread / (n - 1), 2e-5 * spread / (n - 1));
    EXPECT_NEAR(scale[c], factor, 2e-5 * factor);
    EXPECT_NEAR(shift[c], beta[c] - m * factor, 2e-5 * (2 + size * factor));
  }
}

TEST_F(ConvNorm, ForwardIsConvolutionAndStatistics) {
  for_cases([](const Case&, Layer& layer) {
    const GuardedTensor z(layer.z.view().shape(), layer.z.view().dtype());
    conv2d_forward(layer.stream, {.x = layer.x, .weight = layer.weight, .y = z, .geometry = layer.geometry});
    conv_norm_forward(layer.stream, layer.forward_arguments());
    EXPECT_EQ(values_of(layer.z), values_of(z));
    expect_statistics(layer);
    test::fill_uniform(layer.z, 9);
    conv_norm_forward(layer.stream, {.x = layer.x, .weight = layer.weight, .z = layer.z, .geometry = layer.geometry});
    EXPECT_EQ(values_of(layer.z), values_of(z));
  });
}

TEST_F(ConvNorm, ForwardWritesItsInputFirst) {
  for_cases([](const Case&, Layer& layer) {
    norm_apply(layer.stream, layer.apply_arguments());
    conv_norm_forward(layer.stream, layer.forward_arguments());
    const Values x = values_of(layer.x), z = values_of(layer.z), mean = values_of(layer.own.mean);
    test::fill_uniform(layer.x, 8);
    ConvNormForward args = layer.forward_arguments();
    args.input = layer.apply_arguments();
    conv_norm_forward(layer.stream, args);
    EXPECT_EQ(values_of(layer.x), x);
    EXPECT_EQ(values_of(layer.z), z);
    EXPECT_EQ(values_of(layer.own.mean), mean);
  });
}

/// A mean a thousand times the deviation, and a first image that is nothing like the others.
TEST_F(ConvNorm, StatisticsBearLargeMeans) {
  for (float first : {1000.0F, 0.0F}) {
    const Case c{16, 14, 1, 16, 1, {1, 0, 1}};
    Layer layer(c, DType::fp32);
    test::fill_uniform(layer.x, 5, 999, 1001);
    for (int i = 0; i < 14 * 14; ++i) test::set_value(layer.x, i, first);
    for (std::int64_t k = 0; k < 16; ++k) test::set_value(layer.weight, k, 1);
    conv_norm_forward(layer.stream, layer.forward_arguments());
    expect_statistics(layer);
  }
}

void expect_dz(const Layer& layer) {
  const Values gamma = values_of(layer.gamma), rstds = values_of(layer.own.rstd), means = values_of(layer.own.mean),
               sums = values_of(layer.own.sums), z = values_of(layer.z), g = values_of(layer.g);
  const std::size_t channels = gamma.size();
  const auto rows = static_cast<double>(z.size() / channels);
  Values expected(z.size()), magnitude(expected);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const std::size_t c = i % channels;
    const double rstd = rstds[c], outer = gamma[c] * rstd, mean = means[c];
    const double sum = sums[c] / rows, product = sums[channels + c] / rows;
    expected[i] = outer * (g[i] - sum - (z[i] - mean) * rstd * product);
    magnitude[i] =
        outer * (std::abs(g[i]) + std::abs(sum) + (std::abs(z[i]) + std::abs(mean)) * rstd * std::abs(product));
  }
  EXPECT_TRUE(test::is_close(layer.dz, expected, 6, magnitude));
}

TEST_F(ConvNorm, BackwardIsItsParts) {
  for_cases([](const Case&, Layer& layer) {
    conv_norm_forward(layer.stream, layer.forward_arguments());
    const ConvNormBackward args = layer.backward_arguments();
    conv_norm_backward(layer.stream, args);
    expect_dz(layer);
    test::expect_sums(args.norms[0], layer.dx);
    test::expect_sums(args.norms[1], layer.dx);
    const DType type = layer.x.view().dtype();
    const GuardedTensor dx(layer.x.view().shape(), type), dweight(layer.weight.view().shape(), DType::fp32);
    conv2d_backward(layer.stream, {.x = layer.x,
                                   .weight = layer.weight,
                                   .dy = layer.dz,
                                   .dx = dx,
                                   .dweight = dweight,
                                   .geometry = layer.geometry});
    EXPECT_EQ(values_of(layer.dweight), values_of(dweight));
    Values expected = values_of(dx), magnitude;
    const Values x = values_of(layer.x), more = values_of(layer.more);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // the part's dx was rounded, the whole's only where the type is native
      magnitude.push_back(std::abs(expected[i]) * test::unit_roundoff(type) / 0x1p-24 + std::abs(expected[i]) +
                          std::abs(more[i]));
      expected[i] = x[i] > 0 ? expected[i] + more[i] : 0;
    }
    EXPECT_TRUE(test::is_close(layer.dx, expected, 2, magnitude));
  });
}

TEST_F(ConvNorm, WhatFollowsMayBeLeftOut) {
  for_cases([](const Case&, Layer& layer) {
    conv_norm_forward(layer.stream, layer.forward_arguments());
    ConvNormBackward args = layer.backward_arguments();
    args.dz = args.dx_more = Tensor();
    args.mask = false;
    args.norms[0] = args.norms[1] = {};
    conv_norm_backward(layer.stream, args);
    const Values dweight = values_of(layer.dweight), dx = values_of(layer.dx);
    test::fill_uniform(layer.dweight, 8);
    const Values start = values_of(layer.dweight);
    args.dx = Tensor();
    args.accumulate = true;
    conv_norm_backward(layer.stream, args);
    Values sum = start;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] = static_cast<double>(static_cast<float>(start[i]) + static_cast<float>(dweight[i]));
    }
    EXPECT_EQ(values_of(layer.dweight), sum);
    args.dx = layer.dx;
    args.dweight = Tensor();
    test::fill_uniform(layer.dx, 8);
    conv_norm_backward(layer.stream, args);
    EXPECT_EQ(values_of(layer.dx), dx);
  });
}

/// The gradient of x may take the place of what it is added to, and that may be g.
TEST_F(ConvNorm, BackwardInPlace) {
  for (DType type : test::kComputeTypes) {
    Layer apart({33, 8, 16, 16, 3, {1, 1, 1}}, type), in_place({33, 8, 16, 16, 3, {1, 1, 1}}, type);
    for (Layer* layer : {&apart, &in_place}) {
      conv_norm_forward(layer->stream, layer->forward_arguments());
      ConvNormBackward args = layer->backward_arguments();
      args.dx_more = layer->g;
      if (layer == &in_place) args.dx = layer->g;
      conv_norm_backward(layer->stream, args);
    }
    EXPECT_EQ(values_of(in_place.g), values_of(apart.dx));
    EXPECT_EQ(values_of(in_place.dweight), values_of(apart.dweight));
    EXPECT_EQ(values_of(in_place.input.sums), values_of(apart.input.sums));
  }
}

/// Every convolution of the residual networks: none runs on oneDNN's reference code.
TEST_F(ConvNorm, ResnetShapesRunOnFastImplementations) {
  using namespace cpu::onednn;
  struct LayerShape {
    std::int64_t in, out, extent, kernel, stride;
  };
  const LayerShape shapes[] = {{1, 16, 28, 3, 1},    {3, 16, 32, 3, 1},     {16, 16, 28, 3, 1},   {16, 32, 28, 3, 2},
                               {16, 32, 28, 1, 2},   {32, 64, 14, 3, 2},    {64, 64, 7, 3, 1},    {3, 64, 64, 7, 2},
                               {3, 64, 224, 7, 2},   {64, 64, 16, 1, 1},    {64, 256, 16, 1, 1},  {256, 128, 16, 1, 1},
                               {128, 128, 16, 3, 2}, {256, 512, 16, 1, 2},  {512, 128, 8, 1, 1},  {256, 1024, 4, 1, 1},
                               {512, 512, 4, 3, 2},  {1024, 2048, 4, 1, 2}, {512, 2048, 2, 1, 1}, {2048, 512, 2, 1, 1}};
  for (DType type : {DType::fp32, DType::bf16}) {
    if (!is_native(type)) continue;
    for (const LayerShape& shape : shapes) {
      for (auto pass : {ConvolutionPass::forward, ConvolutionPass::backward_data, ConvolutionPass::backward_weights}) {
        if (shape.in < 16 && pass == ConvolutionPass::backward_data) continue;  // images need no gradient
        const auto& chosen = plan(ConvolutionShape{.pass = pass,
                                                   .operands = type,
                                                   .images = 4,
                                                   .height = shape.extent,
                                                   .width = shape.extent,
                                                   .in = shape.in,
                                                   .out = shape.out,
                                                   .kernel_height = shape.kernel,
                                                   .kernel_width = shape.kernel,
                                                   .stride = shape.stride,
                                                   .padding = shape.kernel / 2});
        EXPECT_NE(chosen.implementation().substr(0, 3), "ref")
            << name_of(type) << " " << shape.in << ">" << shape.out << " kernel " << shape.kernel;
      }
    }
  }
}

TEST_F(ConvNorm, RefusesWhatDoesNotFit) {
  Layer layer({2, 5, 4, 6, 3, {1, 1, 1}}, DType::fp32);
  ConvNormForward forward = layer.forward_arguments();
  forward.mean = layer.input.mean;
  EXPECT_THROW(conv_norm_forward(layer.stream, forward), InvalidArgument);
  forward = layer.forward_arguments();
  forward.input = layer.apply_arguments();
  forward.input.y = layer.more;
  EXPECT_THROW(conv_norm_forward(layer.stream, forward), InvalidArgument);
  Layer one({1, 3, 4, 6, 3, {1, 0, 1}}, DType::fp32);
  EXPECT_THROW(conv_norm_forward(one.stream, one.forward_arguments()), InvalidArgument);
  ConvNormBackward backward = layer.backward_arguments();
  backward.dx = Tensor();
  EXPECT_THROW(conv_norm_backward(layer.stream, backward), InvalidArgument);
  backward = layer.backward_arguments();
  backward.norms[0] = {};
  EXPECT_THROW(conv_norm_backward(layer.stream, backward), InvalidArgument);
  backward = layer.backward_arguments();
  backward.sums = layer.input.sums;
  EXPECT_THROW(conv_norm_backward(layer.stream, backward), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
