// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/cpu/onednn.hpp"
#include "kernels/threads.hpp"
#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using test::GuardedTensor;
using test::is_close;
using test::uniform_tensor;
using test::values_of;
using Values = std::vector<double>;

/// n images [h, w, in], kernel [kh, kw].
struct Case {
  std::int64_t n, h, w, in, out, kh, kw;
  Conv2dGeometry geometry;
  bool relu = true;
  std::int64_t out_h() const { return geometry.output_extent(h, kh); }
  std::int64_t out_w() const { return geometry.output_extent(w, kw); }
  std::int64_t y_elements() const { return n * out_h() * out_w() * out; }
  std::int64_t weight_elements() const { return out * kh * kw * in / geometry.groups; }
};

const Case kCases[] = {
    {1, 5, 5, 1, 1, 3, 3, {1, 1, 1}},     // smallest
    {33, 6, 6, 1, 32, 3, 3, {1, 1, 1}},   // first layer
    {4, 9, 7, 3, 17, 3, 3, {2, 1, 1}},    // odd channels, stride, not square
    {5, 8, 8, 10, 10, 5, 3, {1, 2, 1}},   // kernel not square
    {2, 7, 7, 17, 3, 3, 3, {1, 0, 1}},    // no padding
    {3, 8, 8, 16, 32, 1, 1, {2, 0, 1}},   // 1x1 with stride
    {2, 6, 6, 16, 16, 1, 1, {1, 0, 1}},   // 1x1
    {4, 6, 6, 8, 12, 3, 3, {1, 1, 4}},    // groups
    {3, 7, 7, 6, 6, 3, 3, {1, 1, 6}},     // depthwise
    {3, 7, 7, 16, 16, 3, 3, {2, 1, 16}},  // depthwise with stride
    {2, 6, 6, 5, 10, 3, 3, {1, 1, 5}},    // depthwise, two outputs a channel
    {6, 14, 14, 32, 64, 3, 3, {1, 1, 1}}  // second layer of the cnn
};

/// A sum and the sum of its terms' absolute values, element by element.
struct Sums {
  explicit Sums(std::int64_t elements) : value(static_cast<std::size_t>(elements)), magnitude(value) {}
  void add(std::int64_t i, double term) {
    value[static_cast<std::size_t>(i)] += term;
    magnitude[static_cast<std::size_t>(i)] += std::abs(term);
  }
  Values value, magnitude;
};

/// Calls term(y index, x index, weight index) for every product of the convolution's sums.
template <class Term>
void for_each_term(const Case& c, Term term) {
  const auto [stride, padding, groups] = c.geometry;
  const std::int64_t group_in = c.in / groups, group_out = c.out / groups;
  std::int64_t y = 0;
  for (std::int64_t n = 0; n < c.n; ++n) {
    for (std::int64_t place = 0; place < c.out_h() * c.out_w(); ++place) {
      for (std::int64_t k = 0; k < c.out; ++k, ++y) {
        for (std::int64_t tap = 0; tap < c.kh * c.kw; ++tap) {
          const std::int64_t row = place / c.out_w() * stride + tap / c.kw - padding;
          const std::int64_t column = place % c.out_w() * stride + tap % c.kw - padding;
          if (row < 0 || row >= c.h || column < 0 || column >= c.w) continue;
          const std::int64_t x = ((n * c.h + row) * c.w + column) * c.in + k / group_out * group_in;
          for (std::int64_t i = 0; i < group_in; ++i) term(y, x + i, (k * c.kh * c.kw + tap) * group_in + i);
        }
      }
    }
  }
}

/// Tensors of one convolution, filled.
struct Layer {
  Layer(const Case& c, DType type, std::int64_t misalignment = 0)
      : x(uniform_tensor({c.n, c.h, c.w, c.in}, type, 1, misalignment)),
        weight(uniform_tensor({c.out, c.kh, c.kw, c.in / c.geometry.groups}, type, 2, misalignment)),
        bias(uniform_tensor({c.out}, type, 3, misalignment)),
        y({c.n, c.out_h(), c.out_w(), c.out}, type, misalignment),
        dy(uniform_tensor({c.n, c.out_h(), c.out_w(), c.out}, type, 4, misalignment)),
        dx({c.n, c.h, c.w, c.in}, type, misalignment),
        dweight({c.out, c.kh, c.kw, c.in / c.geometry.groups}, DType::fp32, misalignment),
        dbias({c.out}, DType::fp32, misalignment),
        geometry(c.geometry),
        relu(c.relu) {}
  void forward() {
    conv2d_forward(stream, {.x = x, .weight = weight, .bias = bias, .y = y, .geometry = geometry, .relu = relu});
  }
  Conv2dBackward backward_arguments() const {
    return {.x = x,
            .weight = weight,
            .y = y,
            .dy = dy,
            .dx = dx,
            .dweight = dweight,
            .dbias = dbias,
            .geometry = geometry,
            .relu = relu};
  }
  void backward() { conv2d_backward(stream, backward_arguments()); }
  bool intact() const {
    for (const GuardedTensor* tensor : {&x, &weight, &bias, &y, &dy, &dx, &dweight, &dbias}) {
      if (!tensor->intact()) return false;
    }
    return true;
  }
  Stream& stream = test::stream_under_test();
  GuardedTensor x, weight, bias, y, dy, dx, dweight, dbias;
  Conv2dGeometry geometry;
  bool relu;
};

void expect_same_bits(const Layer& a, const Layer& b) {
  EXPECT_EQ(values_of(a.y), values_of(b.y));
  EXPECT_EQ(values_of(a.dy), values_of(b.dy));
  EXPECT_EQ(values_of(a.dx), values_of(b.dx));
  EXPECT_EQ(values_of(a.dweight), values_of(b.dweight));
  EXPECT_EQ(values_of(a.dbias), values_of(b.dbias));
}

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

void check_forward(const Case& c, const Layer& layer, const Values& x, const Values& weight) {
  const Values bias = values_of(layer.bias);
  Sums y(c.y_elements());
  for_each_term(c, [&](auto to, auto i, auto w) { y.add(to, x[at(i)] * weight[at(w)]); });
  for (std::int64_t i = 0; i < c.y_elements(); ++i) {
    y.add(i, bias[at(i % c.out)]);
    if (c.relu) y.value[at(i)] = std::max(y.value[at(i)], 0.0);
  }
  EXPECT_TRUE(is_close(layer.y, y.value, static_cast<double>(c.weight_elements() / c.out + 1), y.magnitude));
}

void check_backward(const Case& c, const Layer& layer, const Values& x, const Values& weight, const Values& g) {
  Sums dx(c.n * c.h * c.w * c.in), dweight(c.weight_elements()), dbias(c.out);
  for_each_term(c, [&](auto from, auto i, auto w) {
    dx.add(i, g[at(from)] * weight[at(w)]);
    dweight.add(w, g[at(from)] * x[at(i)]);
  });
  for (std::int64_t i = 0; i < c.y_elements(); ++i) dbias.add(i % c.out, g[at(i)]);
  const auto places = static_cast<double>(c.n * c.out_h() * c.out_w());
  EXPECT_TRUE(is_close(layer.dx, dx.value, static_cast<double>(c.kh * c.kw * c.out), dx.magnitude));
  EXPECT_TRUE(is_close(layer.dweight, dweight.value, places, dweight.magnitude));
  EXPECT_TRUE(is_close(layer.dbias, dbias.value, places, dbias.magnitude));
}

void check_against_reference(const Case& c, DType type, std::int64_t misalignment) {
  SCOPED_TRACE(fmt::format("{} n{} {}x{} {}>{} kernel {}x{} stride {} padding {} groups {} misaligned {}",
                           name_of(type), c.n, c.h, c.w, c.in, c.out, c.kh, c.kw, c.geometry.stride, c.geometry.padding,
                           c.geometry.groups, misalignment));
  Layer layer(c, type, misalignment);
  layer.forward();
  const Values x = values_of(layer.x), weight = values_of(layer.weight);
  check_forward(c, layer, x, weight);
  Values g = values_of(layer.dy);
  const Values y = values_of(layer.y);
  for (std::size_t i = 0; i < g.size(); ++i) g[i] = c.relu && !(y[i] > 0) ? 0 : g[i];
  layer.backward();
  EXPECT_EQ(values_of(layer.dy), g);
  check_backward(c, layer, x, weight, g);
  EXPECT_TRUE(layer.intact());
}

/// One thread, as a rank has by default: more than the machine has free would wait for each other.
class Conv2d : public ::testing::Test {
 protected:
  void SetUp() override { cpu::set_threads(1); }
};

TEST_F(Conv2d, ByHand) {
  for (DType type : test::kComputeTypes) {
    Stream& stream = test::stream_under_test();
    GuardedTensor x({1, 2, 2, 1}, type), weight({1, 2, 2, 1}, type), bias({1}, type), y({1, 1, 1, 1}, type),
        dy({1, 1, 1, 1}, type), dx({1, 2, 2, 1}, type), dweight({1, 2, 2, 1}, DType::fp32), dbias({1}, DType::fp32);
    test::set_values(x, {1, 2, 3, 4});
    test::set_values(weight, {1, -1, 2, 0.5F});  // not mirrored: cross-correlation
    test::set_values(bias, {0.25F});
    conv2d_forward(stream, {.x = x, .weight = weight, .bias = bias, .y = y});
    EXPECT_EQ(values_of(y), (Values{7.25}));
    test::set_values(dy, {2});
    conv2d_backward(stream, {.x = x, .weight = weight, .dy = dy, .dx = dx, .dweight = dweight, .dbias = dbias});
    EXPECT_EQ(values_of(dx), (Values{2, -2, 4, 1}));
    EXPECT_EQ(values_of(dweight), (Values{2, 4, 6, 8}));
    EXPECT_EQ(values_of(dbias), (Values{2}));
  }
}

TEST_F(Conv2d, MatchesDoubleReference) {
  for (DType type : test::kComputeTypes) {
    for (std::int64_t misalignment : test::kMisalignments) {
      for (const Case& c : kCases) check_against_reference(c, type, misalignment);
    }
    check_against_reference({2, 6, 6, 4, 8, 3, 3, {1, 1, 1}, false}, type, 0);
  }
}

TEST_F(Conv2d, DerivativesMatchFiniteDifferences) {
  const Case c{2, 5, 4, 4, 6, 3, 3, {2, 1, 2}, false};
  Layer layer(c, DType::fp32);
  layer.forward();
  layer.backward();
  const Values dy = values_of(layer.dy);
  const auto loss = [&] {  // linear in every operand, so a wide step is exact but for rounding
    layer.forward();
    const Values y = values_of(layer.y);
    return std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
  };
  const auto check = [&](const Tensor& operand, const Tensor& gradient) {
    const Values slopes = test::finite_differences(operand, 0.5F, loss), actual = values_of(gradient);
    for (std::size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(slopes[i], actual[i], 1e-4);
  };
  check(layer.x, layer.dx);
  check(layer.weight, layer.dweight);
  check(layer.bias, layer.dbias);
}

TEST_F(Conv2d, AccumulateAddsToWhatIsThere) {
  for (DType type : test::kComputeTypes) {
    const Case c{9, 6, 6, 10, 20, 3, 3, {1, 1, 1}, false};
    Layer layer(c, type);
    layer.backward();
    Values dweight = values_of(layer.dweight), dbias = values_of(layer.dbias);
    Conv2dBackward args = layer.backward_arguments();
    args.accumulate = true;
    conv2d_backward(layer.stream, args);
    for (double& value : dweight) value *= 2;
    EXPECT_EQ(values_of(layer.dweight), dweight);  // the sum of this call is added in one piece
    for (double& value : dbias) value *= 2;
    const Values magnitude(dbias.size(), 2.0 * 9 * 36 * 2);
    EXPECT_TRUE(is_close(layer.dbias, dbias, 2 * 9 * 36, magnitude));
  }
}

TEST_F(Conv2d, EachGradientMayBeLeftOut) {
  const Case c{5, 6, 6, 10, 20, 3, 3, {1, 1, 1}};
  for (DType type : test::kComputeTypes) {
    Layer all(c, type);
    all.forward();
    all.backward();
    for (int left_out = 0; left_out < 3; ++left_out) {
      Layer some(c, type);
      some.forward();
      Conv2dBackward args = some.backward_arguments();
      if (left_out == 0) args.dx = Tensor();
      if (left_out == 1) args.dweight = Tensor();
      if (left_out == 2) args.dbias = Tensor();
      conv2d_backward(some.stream, args);
      if (args.dx) {
        EXPECT_EQ(values_of(some.dx), values_of(all.dx));
      }
      if (args.dweight) {
        EXPECT_EQ(values_of(some.dweight), values_of(all.dweight));
      }
      if (args.dbias) {
        EXPECT_EQ(values_of(some.dbias), values_of(all.dbias));
      }
      EXPECT_EQ(values_of(some.dy), values_of(all.dy));
    }
  }
}

/// Channels that fill 16 bytes, where a GPU may do it all in one graph, and others.
TEST_F(Conv2d, ReluKeepsNan) {
  for (DType type : test::kComputeTypes) {
    for (const auto& [in, out] : {std::pair{3, 17}, {8, 16}}) {
      Layer layer({2, 4, 4, in, out, 3, 3, {1, 1, 1}}, type);
      test::set_value(layer.x, 0, std::numeric_limits<float>::quiet_NaN());
      layer.forward();
      const Values y = values_of(layer.y);
      for (std::int64_t k = 0; k < out; ++k) {
        EXPECT_TRUE(std::isnan(y[at(k)]));
        EXPECT_FALSE(std::isnan(y[at(16 * out + k)]));
      }
    }
  }
}

/// More places than a GPU gathers at once where no library engine writes FP32 (one output, which is no whole 16 bytes).
TEST_F(Conv2d, WeightGradientOfManyPlaces) {
  const Case c{1, 208, 208, 8, 1, 7, 7, {1, 3, 1}, false};
  const Layer layer(c, DType::fp16);
  conv2d_backward(
      layer.stream,
      {.x = layer.x, .weight = layer.weight, .dy = layer.dy, .dweight = layer.dweight, .geometry = c.geometry});
  const Values x = values_of(layer.x), g = values_of(layer.dy);
  Sums dweight(c.weight_elements());
  for_each_term(c, [&](auto from, auto i, auto w) { dweight.add(w, g[at(from)] * x[at(i)]); });
  EXPECT_TRUE(is_close(layer.dweight, dweight.value, static_cast<double>(c.y_elements()), dweight.magnitude));
}

TEST_F(Conv2d, SameBitsAgainAndWhereverMemoryLies) {
  const Case c{16, 14, 14, 32, 64, 3, 3, {1, 1, 1}};
  for (DType type : test::kComputeTypes) {
    Layer first(c, type), again(c, type), shifted(c, type, 1);
    for (Layer* layer : {&first, &again, &shifted}) {
      layer->forward();
      layer->backward();
    }
    expect_same_bits(first, again);
    expect_same_bits(first, shifted);
  }
}

TEST_F(Conv2d, ThreadsAreAPartOfThePlan) {
  const Case c{8, 14, 14, 16, 32, 3, 3, {1, 1, 1}};
  Layer one(c, DType::fp32), two(c, DType::fp32), again(c, DType::fp32);
  one.forward();
  one.backward();
  cpu::set_threads(2);
  EXPECT_EQ(cpu::threads(), 2);
  two.forward();
  two.backward();
  cpu::set_threads(1);
  again.forward();
  again.backward();
  expect_same_bits(one, again);
  EXPECT_EQ(values_of(one.y), values_of(two.y));
  EXPECT_TRUE(is_close(two.dweight, values_of(one.dweight), 8 * 14 * 14,
                       Values(values_of(one.dweight).size(), 4.0 * 8 * 14 * 14)));
  EXPECT_THROW(cpu::set_threads(0), InvalidArgument);
}

TEST_F(Conv2d, CnnShapesRunOnFastImplementations) {
  using namespace cpu::onednn;
  for (DType type : {DType::fp32, DType::bf16}) {
    if (!is_native(type)) continue;
    for (const auto& [in, out, extent] : {std::array{1, 32, 28}, std::array{3, 32, 32}, std::array{32, 64, 14}}) {
      for (auto pass : {ConvolutionPass::forward, ConvolutionPass::backward_data, ConvolutionPass::backward_weights}) {
        const auto& chosen = plan(ConvolutionShape{.pass = pass,
                                                   .operands = type,
                                                   .images = 4,
                                                   .height = extent,
                                                   .width = extent,
                                                   .in = in,
                                                   .out = out,
                                                   .kernel_height = 3,
                                                   .kernel_width = 3,
                                                   .padding = 1,
                                                   .bias = pass == ConvolutionPass::forward});
        EXPECT_NE(chosen.implementation().substr(0, 3), "ref") << name_of(type) << " " << in << ">" << out;
      }
    }
  }
}

TEST_F(Conv2d, RefusesWhatDoesNotFit) {
  Stream& stream = test::stream_under_test();
  GuardedTensor x({2, 5, 5, 4}, DType::fp32), weight({6, 3, 3, 4}, DType::fp32), y({2, 3, 3, 6}, DType::fp32);
  conv2d_forward(stream, {.x = x, .weight = weight, .y = y});
  EXPECT_THROW(conv2d_forward(stream, {.x = x, .weight = weight, .y = y, .geometry = {.padding = 1}}), InvalidArgument);
  EXPECT_THROW(conv2d_forward(stream, {.x = x, .weight = weight, .y = y, .geometry = {.groups = 2}}), InvalidArgument);
  EXPECT_THROW(conv2d_forward(stream, {.x = x, .weight = weight, .y = y, .geometry = {.stride = 0}}), InvalidArgument);
  EXPECT_THROW(conv2d_forward(stream, {.x = x, .weight = x, .y = y}), InvalidArgument);
  EXPECT_THROW(conv2d_backward(stream, {.x = x, .weight = weight, .dy = y, .relu = true}), InvalidArgument);
  EXPECT_THROW(conv2d_backward(stream, {.x = x, .weight = weight, .dy = y, .dbias = y}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
