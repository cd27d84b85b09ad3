// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

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

/// A sum and the sum of its terms' absolute values, element by element.
struct Sums {
  explicit Sums(std::int64_t elements) : value(static_cast<std::size_t>(elements)), magnitude(value) {}
  void add(std::int64_t i, double term) {
    value[static_cast<std::size_t>(i)] += term;
    magnitude[static_cast<std::size_t>(i)] += std::abs(term);
  }
  Values value, magnitude;
};

struct Case {
  std::int64_t rows, in, out;
  DType type;
  bool relu = true;
  std::int64_t misalignment = 0;
};

std::string name_of_case(const Case& c) {
  return fmt::format("{} x[{}, {}] w[{}, {}] relu {} misaligned {}", name_of(c.type), c.rows, c.in, c.out, c.in, c.relu,
                     c.misalignment);
}

/// Tensors of one layer, filled; y comes from the forward kernel.
struct Layer {
  explicit Layer(const Case& c)
      : x(uniform_tensor({c.rows, c.in}, c.type, 1, c.misalignment)),
        weight(uniform_tensor({c.out, c.in}, c.type, 2, c.misalignment)),
        bias(uniform_tensor({c.out}, c.type, 3, c.misalignment)),
        y({c.rows, c.out}, c.type, c.misalignment),
        dy(uniform_tensor({c.rows, c.out}, c.type, 4, c.misalignment)),
        dx({c.rows, c.in}, c.type, c.misalignment),
        dweight({c.out, c.in}, DType::fp32, c.misalignment),
        dbias({c.out}, DType::fp32, c.misalignment),
        relu(c.relu) {}
  void forward() { linear_forward(stream, {.x = x, .weight = weight, .bias = bias, .y = y, .relu = relu}); }
  void backward(bool accumulate = false) {
    linear_backward(stream, {.x = x,
                             .weight = weight,
                             .y = y,
                             .dy = dy,
                             .dx = dx,
                             .dweight = dweight,
                             .dbias = dbias,
                             .relu = relu,
                             .accumulate = accumulate});
  }
  bool intact() const {
    for (const GuardedTensor* tensor : {&x, &weight, &bias, &y, &dy, &dx, &dweight, &dbias}) {
      if (!tensor->intact()) return false;
    }
    return true;
  }
  Stream& stream = test::stream_under_test();
  GuardedTensor x, weight, bias, y, dy, dx, dweight, dbias;
  bool relu;
};

Sums forward_reference(const Case& c, const Values& x, const Values& weight, const Values& bias) {
  Sums y(c.rows * c.out);
  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t o = 0; o < c.out; ++o) {
      const std::int64_t at = r * c.out + o;
      y.add(at, bias[static_cast<std::size_t>(o)]);
      for (std::int64_t i = 0; i < c.in; ++i) {
        y.add(at, x[static_cast<std::size_t>(r * c.in + i)] * weight[static_cast<std::size_t>(o * c.in + i)]);
      }
      auto& value = y.value[static_cast<std::size_t>(at)];
      if (c.relu) value = std::max(value, 0.0);
    }
  }
  return y;
}

struct Gradients {
  Sums dx, dweight, dbias;
};

Gradients backward_reference(const Case& c, const Values& x, const Values& weight, const Values& g) {
  Gradients result{Sums(c.rows * c.in), Sums(c.out * c.in), Sums(c.out)};
  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t o = 0; o < c.out; ++o) {
      const double gradient = g[static_cast<std::size_t>(r * c.out + o)];
      result.dbias.add(o, gradient);
      for (std::int64_t i = 0; i < c.in; ++i) {
        result.dx.add(r * c.in + i, gradient * weight[static_cast<std::size_t>(o * c.in + i)]);
        result.dweight.add(o * c.in + i, gradient * x[static_cast<std::size_t>(r * c.in + i)]);
      }
    }
  }
  return result;
}

/// dy where y > 0, else 0.
Values masked(const Values& dy, const Values& y) {
  Values g = dy;
  for (std::size_t i = 0; i < g.size(); ++i) g[i] = y[i] > 0 ? g[i] : 0;
  return g;
}

void check_against_reference(const Case& c) {
  SCOPED_TRACE(name_of_case(c));
  Layer layer(c);
  layer.forward();
  const Values x = values_of(layer.x), weight = values_of(layer.weight);
  const Sums y = forward_reference(c, x, weight, values_of(layer.bias));
  EXPECT_TRUE(is_close(layer.y, y.value, static_cast<double>(c.in + 1), y.magnitude));
  const Values dy = values_of(layer.dy);
  const Values g = c.relu ? masked(dy, values_of(layer.y)) : dy;
  layer.backward();
  EXPECT_EQ(values_of(layer.dy), g);
  const Gradients expected = backward_reference(c, x, weight, g);
  EXPECT_TRUE(is_close(layer.dx, expected.dx.value, static_cast<double>(c.out), expected.dx.magnitude));
  EXPECT_TRUE(is_close(layer.dweight, expected.dweight.value, static_cast<double>(c.rows), expected.dweight.magnitude));
  EXPECT_TRUE(is_close(layer.dbias, expected.dbias.value, static_cast<double>(c.rows), expected.dbias.magnitude));
  EXPECT_TRUE(layer.intact());
}

/// One thread, as a rank has by default: more than the machine has free would wait for each other.
class Linear : public ::testing::Test {
 protected:
  void SetUp() override { cpu::set_threads(1); }
};

TEST_F(Linear, ByHand) {
  for (DType type : test::kComputeTypes) {
    Stream& stream = test::stream_under_test();
    GuardedTensor x({1, 2}, type), weight({3, 2}, type), bias({3}, type), y({1, 3}, type), dy({1, 3}, type),
        dx({1, 2}, type), dweight({3, 2}, DType::fp32), dbias({3}, DType::fp32);
    test::set_values(x, {2, -3});
    test::set_values(weight, {1, 2, -1, 0.5F, 4, 1});
    test::set_values(bias, {0.5F, 1, -2});
    linear_forward(stream, {.x = x, .weight = weight, .bias = bias, .y = y});
    EXPECT_EQ(values_of(y), (Values{-3.5, -2.5, 3}));
    linear_forward(stream, {.x = x, .weight = weight, .bias = bias, .y = y, .relu = true});
    EXPECT_EQ(values_of(y), (Values{0, 0, 3}));
    test::set_values(dy, {7, 7, 2});
    linear_backward(
        stream,
        {.x = x, .weight = weight, .y = y, .dy = dy, .dx = dx, .dweight = dweight, .dbias = dbias, .relu = true});
    EXPECT_EQ(values_of(dy), (Values{0, 0, 2}));
    EXPECT_EQ(values_of(dx), (Values{8, 2}));
    EXPECT_EQ(values_of(dweight), (Values{0, 0, 0, 0, 4, -6}));
    EXPECT_EQ(values_of(dbias), (Values{0, 0, 2}));
  }
}

TEST_F(Linear, MatchesDoubleReference) {
  for (DType type : test::kComputeTypes) {
    for (std::int64_t misalignment : test::kMisalignments) {
      check_against_reference({1, 1, 1, type, true, misalignment});
      check_against_reference({33, 10, 17, type, true, misalignment});
      check_against_reference({64, 128, 10, type, false, misalignment});
      check_against_reference({31, 1000, 65, type, true, misalignment});
    }
    check_against_reference({300, 97, 100, type, true});   // more rows than a tile, several blocks of inputs
    check_against_reference({16, 1568, 128, type, true});  // several blocks of outputs
  }
}

TEST_F(Linear, DerivativesMatchFiniteDifferences) {
  const Case c{5, 7, 6, DType::fp32, false};
  Layer layer(c);
  layer.forward();
  layer.backward();
  const Values dy = values_of(layer.dy);
  const auto loss = [&] {  // linear in every operand, so a wide step is exact but for rounding
    linear_forward(layer.stream, {.x = layer.x, .weight = layer.weight, .bias = layer.bias, .y = layer.y});
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

TEST_F(Linear, AccumulateAddsToWhatIsThere) {
  for (DType type : test::kComputeTypes) {
    const Case c{33, 40, 20, type, false};
    Layer layer(c);
    layer.backward();
    const Values dweight = values_of(layer.dweight), dbias = values_of(layer.dbias);
    const auto doubled = [](Values values) {
      for (double& value : values) value *= 2;
      return values;
    };
    layer.backward(true);
    const Gradients terms = backward_reference(c, values_of(layer.x), values_of(layer.weight), values_of(layer.dy));
    EXPECT_TRUE(is_close(layer.dweight, doubled(dweight), 66, doubled(terms.dweight.magnitude)));
    EXPECT_TRUE(is_close(layer.dbias, doubled(dbias), 66, doubled(terms.dbias.magnitude)));
    layer.backward();
    EXPECT_EQ(values_of(layer.dweight), dweight);
    EXPECT_EQ(values_of(layer.dbias), dbias);
  }
}

TEST_F(Linear, EachGradientMayBeLeftOut) {
  for (DType type : test::kComputeTypes) {
    Layer all({17, 24, 12, type});
    all.forward();
    all.backward();
    for (int left_out = 0; left_out < 3; ++left_out) {
      Layer some({17, 24, 12, type});
      some.forward();
      LinearBackward args{.x = some.x, .weight = some.weight, .y = some.y, .dy = some.dy, .relu = true};
      if (left_out != 0) args.dx = some.dx;
      if (left_out != 1) args.dweight = some.dweight;
      if (left_out != 2) args.dbias = some.dbias;
      linear_backward(some.stream, args);
      EXPECT_EQ(values_of(some.dy), values_of(all.dy));
      if (args.dx) {
        EXPECT_EQ(values_of(some.dx), values_of(all.dx));
      }
      if (args.dweight) {
        EXPECT_EQ(values_of(some.dweight), values_of(all.dweight));
      }
      if (args.dbias) {
        EXPECT_EQ(values_of(some.dbias), values_of(all.dbias));
      }
    }
  }
}

TEST_F(Linear, ReluKeepsNan) {
  for (DType type : test::kComputeTypes) {
    Layer layer({2, 3, 17, type});
    test::set_value(layer.x, 0, std::numeric_limits<float>::quiet_NaN());
    layer.forward();
    const Values y = values_of(layer.y);
    for (std::size_t o = 0; o < 17; ++o) {
      EXPECT_TRUE(std::isnan(y[o]));
      EXPECT_FALSE(std::isnan(y[17 + o]));
    }
  }
}

TEST_F(Linear, Fp16OverflowBecomesInfinity) {
  Stream& stream = test::stream_under_test();
  GuardedTensor x({1, 2}, DType::fp16), weight({1, 2}, DType::fp16), y({1, 1}, DType::fp16);
  test::set_values(x, {256, 256});
  test::set_values(weight, {255.75F, 0.125F});
  linear_forward(stream, {.x = x, .weight = weight, .y = y});
  EXPECT_EQ(test::value_at(y, 0), 65504);
  test::set_values(weight, {255.75F, 0.1875F});
  linear_forward(stream, {.x = x, .weight = weight, .y = y});
  EXPECT_TRUE(std::isinf(test::value_at(y, 0)));
}

TEST_F(Linear, SameBitsWhereverMemoryLies) {
  for (DType type : test::kComputeTypes) {
    Layer aligned({64, 200, 48, type}), shifted({64, 200, 48, type, true, 1});
    for (Layer* layer : {&aligned, &shifted}) {
      layer->forward();
      layer->backward();
    }
    EXPECT_EQ(values_of(aligned.y), values_of(shifted.y));
    EXPECT_EQ(values_of(aligned.dx), values_of(shifted.dx));
    EXPECT_EQ(values_of(aligned.dweight), values_of(shifted.dweight));
    EXPECT_EQ(values_of(aligned.dbias), values_of(shifted.dbias));
  }
}

TEST_F(Linear, RefusesWhatDoesNotFit) {
  Stream& stream = test::stream_under_test();
  GuardedTensor x({2, 3}, DType::fp32), weight({4, 3}, DType::fp32), y({2, 4}, DType::fp32),
      narrow({2, 3}, DType::fp32), halves({2, 4}, DType::fp16);
  EXPECT_THROW(linear_forward(stream, {.x = x, .weight = weight, .y = narrow}), InvalidArgument);
  EXPECT_THROW(linear_forward(stream, {.x = x, .weight = weight, .y = halves}), InvalidArgument);
  EXPECT_THROW(linear_forward(stream, {.x = x, .weight = y, .y = y}), InvalidArgument);
  EXPECT_THROW(linear_backward(stream, {.x = x, .weight = weight, .dy = y, .relu = true}), InvalidArgument);
  EXPECT_THROW(linear_backward(stream, {.x = x, .weight = weight, .dy = y, .dweight = x}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
