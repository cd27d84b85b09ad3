// SPDX-License-Identifier: Apache-2.0
#include "kernels/pooling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  Shape x;
  PoolingGeometry geometry;
  Shape y() const { return {x[0], geometry.output_extent(x[1]), geometry.output_extent(x[2]), x[3]}; }
};

/// Apart and covering, apart with a rest, gaps between windows, overlapping, padded; channels around the vector length.
const std::vector<Case> kCases = {
    {{2, 4, 6, 16}, {2, 2, 0}}, {{1, 2, 2, 1}, {2, 2, 0}}, {{2, 5, 7, 33}, {2, 2, 0}},   {{1, 7, 7, 31}, {2, 3, 0}},
    {{2, 6, 5, 20}, {3, 2, 1}}, {{1, 5, 5, 3}, {3, 1, 1}}, {{1, 4, 4, 64}, {4, 4, 0}},   {{1, 6, 6, 17}, {2, 2, 1}},
    {{1, 7, 5, 8}, {3, 2, 1}},  {{2, 3, 6, 8}, {3, 3, 0}}, {{1, 18, 18, 2}, {17, 1, 0}},
};

/// Calls visit(y index, x index) for every pair of an output and an input in its window, row by row.
template <class Visit>
void for_each_pair(const Case& c, Visit visit) {
  const Shape y = c.y();
  const auto [window, stride, padding] = c.geometry;
  for (std::int64_t n = 0; n < y[0]; ++n) {
    for (std::int64_t out = 0; out < y[1] * y[2] * y[3]; ++out) {
      const std::int64_t channel = out % y[3], ox = out / y[3] % y[2], oy = out / y[3] / y[2];
      for (std::int64_t k = 0; k < window * window; ++k) {
        const std::int64_t iy = oy * stride - padding + k / window, ix = ox * stride - padding + k % window;
        if (iy < 0 || ix < 0 || iy >= c.x[1] || ix >= c.x[2]) continue;
        visit(n * y[1] * y[2] * y[3] + out, ((n * c.x[1] + iy) * c.x[2] + ix) * c.x[3] + channel);
      }
    }
  }
}

std::vector<std::int64_t> winners_of(const Case& c, const std::vector<double>& x) {
  std::vector<std::int64_t> winner(static_cast<std::size_t>(c.y().elements()), -1);
  for_each_pair(c, [&](std::int64_t out, std::int64_t in) {
    std::int64_t& best = winner[static_cast<std::size_t>(out)];
    if (best < 0 || x[static_cast<std::size_t>(in)] > x[static_cast<std::size_t>(best)]) best = in;
  });
  return winner;
}

template <class Body>
void for_each_case(Body body) {
  for (const Case& c : kCases) {
    for (DType type : kComputeTypes) {
      SCOPED_TRACE(c.x.to_string() + " window " + std::to_string(c.geometry.window) + " stride " +
                   std::to_string(c.geometry.stride) + " " + std::string(name_of(type)));
      for (std::int64_t misalignment : kMisalignments) body(c, type, misalignment);
    }
  }
}

TEST(MaxPool, ByHandFirstOfEqualsAndNanWin) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({1, 2, 6, 1}, DType::fp16), y({1, 1, 3, 1}, DType::fp16);
  set_values(x, {1, 5, kNan, 2, 7, kNan,  //
                 5, 2, 9, 1, kNan, 8});
  max_pool_forward(stream, {.x = x, .y = y, .geometry = {}});
  EXPECT_TRUE(is_close(y, {5, NAN, NAN}));
  const GuardedTensor dy({1, 1, 3, 1}, DType::fp16), dx({1, 2, 6, 1}, DType::fp16);
  set_values(dy, {1, 2, 3});
  max_pool_backward(stream, {.x = x, .dy = dy, .dx = dx, .geometry = {}});
  EXPECT_TRUE(is_close(dx, {0, 1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0}));
}

TEST(MaxPool, PaddingNeverWins) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({1, 2, 2, 1}, DType::fp32), y({1, 2, 2, 1}, DType::fp32);
  set_values(x, {-1, -2, -3, -4});
  max_pool_forward(stream, {.x = x, .y = y, .geometry = {2, 2, 1}});
  EXPECT_TRUE(is_close(y, {-1, -2, -3, -4}));
}

TEST(MaxPool, MatchesTheReferenceForEveryGeometryAndType) {
  Stream& stream = stream_under_test();
  for_each_case([&](const Case& c, DType type, std::int64_t misalignment) {
    const GuardedTensor x = uniform_tensor(c.x, type, 1, misalignment), dy = uniform_tensor(c.y(), type, 2);
    edit(x, [](const Tensor& host) {
      for (std::int64_t i = 0; i < host.elements(); i += 3) set_value(host, i, 1.5F);  // equal values too
    });
    const GuardedTensor y(c.y(), type, misalignment), dx(c.x, type, misalignment);
    max_pool_forward(stream, {.x = x, .y = y, .geometry = c.geometry});
    max_pool_backward(stream, {.x = x, .dy = dy, .dx = dx, .geometry = c.geometry});
    const std::vector<double> values = values_of(x), gradients = values_of(dy);
    std::vector<double> largest, slopes(values.size()), magnitude(values.size());
    const std::vector<std::int64_t> winners = winners_of(c, values);
    for (std::size_t out = 0; out < winners.size(); ++out) {
      const auto in = static_cast<std::size_t>(winners[out]);
      const double gradient = gradients[out];
      largest.push_back(values[in]);
      slopes[in] += gradient;
      magnitude[in] += std::abs(gradient);
    }
    EXPECT_EQ(values_of(y), largest);
    EXPECT_TRUE(is_close(dx, slopes, 9, magnitude));
    EXPECT_TRUE(y.intact() && dx.intact());
  });
}

TEST(AveragePool, ByHandPaddingCountsAsZero) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({1, 2, 2, 1}, DType::bf16), y({1, 2, 2, 1}, DType::bf16), dx({1, 2, 2, 1}, DType::bf16);
  set_values(x, {4, 8, 12, 16});
  average_pool_forward(stream, {.x = x, .y = y, .geometry = {2, 2, 1}});
  EXPECT_TRUE(is_close(y, {1, 2, 3, 4}));
  average_pool_backward(stream, {.dy = y, .dx = dx, .geometry = {2, 2, 1}});
  EXPECT_TRUE(is_close(dx, {0.25, 0.5, 0.75, 1}));
}

TEST(AveragePool, MatchesTheReferenceForEveryGeometryAndType) {
  Stream& stream = stream_under_test();
  for_each_case([&](const Case& c, DType type, std::int64_t misalignment) {
    const GuardedTensor x = uniform_tensor(c.x, type, 1, misalignment), dy = uniform_tensor(c.y(), type, 2);
    const GuardedTensor y(c.y(), type, misalignment), dx(c.x, type, misalignment);
    average_pool_forward(stream, {.x = x, .y = y, .geometry = c.geometry});
    average_pool_backward(stream, {.dy = dy, .dx = dx, .geometry = c.geometry});
    const auto area = static_cast<double>(c.geometry.window * c.geometry.window);
    const auto inputs = static_cast<std::size_t>(c.x.elements()), outputs = static_cast<std::size_t>(c.y().elements());
    const std::vector<double> xs = values_of(x), dys = values_of(dy);
    std::vector<double> mean(outputs), mean_size(outputs), slopes(inputs), slopes_size(inputs);
    for_each_pair(c, [&](std::int64_t out, std::int64_t in) {
      const auto o = static_cast<std::size_t>(out), i = static_cast<std::size_t>(in);
      mean[o] += xs[i] / area;
      mean_size[o] += std::abs(xs[i]) / area;
      slopes[i] += dys[o] / area;
      slopes_size[i] += std::abs(dys[o]) / area;
    });
    EXPECT_TRUE(is_close(y, mean, area + 1, mean_size));
    EXPECT_TRUE(is_close(dx, slopes, area + 1, slopes_size));
    EXPECT_TRUE(y.intact() && dx.intact());
  });
}

/// Inputs far enough apart that a step never changes a winner; both poolings are linear there, so no Taylor rest. Four
/// passes an input: few inputs on a GPU, which may be a software GPU.
TEST(Pooling, BackwardIsTheSlopeOfForward) {
  Stream& stream = stream_under_test();
  for (const Case& c : kCases) {
    if (device_under_test() == Device::cuda && c.x.elements() > 100) continue;
    const GuardedTensor x(c.x, DType::fp32), y(c.y(), DType::fp32), dx(c.x, DType::fp32);
    const GuardedTensor dy = uniform_tensor(c.y(), DType::fp32, 5);
    const std::int64_t elements = c.x.elements();
    overwrite(x, [&](const Tensor& host) {
      for (std::int64_t i = 0; i < elements; ++i) set_value(host, i, 0.01F * static_cast<float>(i * 7919 % elements));
    });
    const auto check = [&](auto forward) {
      const std::vector<double> slopes = finite_differences(x, 0x1p-10F, [&] {
        forward();
        return dot(y, dy);
      });
      const double bound = slope_bound(0x1p-10F, 8 * 0.01 * static_cast<double>(elements) * 9, 0);
      const std::vector<double> actual = values_of(dx);
      for (std::size_t i = 0; i < slopes.size(); ++i) {
        EXPECT_NEAR(actual[i], slopes[i], bound) << c.x.to_string() << " " << i;
      }
    };
    max_pool_backward(stream, {.x = x, .dy = dy, .dx = dx, .geometry = c.geometry});
    check([&] { max_pool_forward(stream, {.x = x, .y = y, .geometry = c.geometry}); });
    average_pool_backward(stream, {.dy = dy, .dx = dx, .geometry = c.geometry});
    check([&] { average_pool_forward(stream, {.x = x, .y = y, .geometry = c.geometry}); });
  }
}

TEST(Pooling, RefusesShapesThatDoNotFit) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({1, 4, 4, 2}, DType::fp32), y({1, 2, 2, 2}, DType::fp32), odd({1, 2, 1, 2}, DType::fp32);
  EXPECT_THROW(max_pool_forward(stream, {.x = x, .y = odd, .geometry = {}}), InvalidArgument);
  EXPECT_THROW(max_pool_forward(stream, {.x = x, .y = y, .geometry = {2, 2, 2}}), InvalidArgument);
  EXPECT_THROW(average_pool_forward(stream, {.x = x, .y = y, .geometry = {5, 2, 0}}), InvalidArgument);
  EXPECT_THROW(average_pool_backward(stream, {.dy = y, .dx = odd, .geometry = {}}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
