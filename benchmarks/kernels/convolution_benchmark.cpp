// SPDX-License-Identifier: Apache-2.0
// linear and conv2d at the shapes of `mlp` and `cnn` against their floor: the oneDNN primitives alone, on operands that
// stay in cache. Verified first, then timed; 1 thread. Usage: convolution_benchmark [images]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "benchmarks/kernels/floor.hpp"
#include "kernels/conv2d.hpp"
#include "kernels/linear.hpp"
#include "kernels/threads.hpp"
#include "src/core/half.hpp"

namespace mpdist::kernels {
namespace {

using benchmarks::best_seconds;
using benchmarks::filled;

struct Operation : benchmarks::MatrixOperation {
  const char* name;
};

constexpr Operation kOperations[] = {
    {{28, 1, 32, 3, false}, "conv 28x28 1>32"},   {{14, 32, 64, 3, true}, "conv 14x14 32>64"},
    {{1, 3136, 128, 0, true}, "linear 3136>128"}, {{1, 784, 512, 0, false}, "linear 784>512"},
    {{1, 512, 512, 0, true}, "linear 512>512"},   {{1, 512, 10, 0, true}, "linear 512>10"}};

double value(const Tensor& tensor, std::int64_t i) {
  return with_compute_type(tensor.dtype(), [&]<class T>(T) -> double { return to_float(tensor.data<T>()[i]); });
}

struct Run {
  Run(const Operation& operation, std::int64_t images, DType type) : op(operation), n(images), side(op.side()) {
    x = filled({n, op.extent, op.extent, op.in}, type, 1, 1);
    weight = filled({op.out, side, side, op.in}, type, 2, 0.1F);
    bias = filled({op.out}, type, 3, 0.1F);
    y = filled({n, op.extent, op.extent, op.out}, type, 4, 1);
    dy = filled(y.shape(), type, 5, 1);
    if (op.input_gradient) dx = filled(x.shape(), type, 6, 0);
    dweight = filled(weight.shape(), DType::fp32, 7, 0);
    dbias = filled({op.out}, DType::fp32, 8, 0);
  }

  void forward() {
    if (op.kernel > 0) {
      return conv2d_forward(stream, {x, weight, bias, y, {.padding = op.kernel / 2}, true});
    }
    linear_forward(stream, {flat(x), flat(weight), bias, flat(y), true});
  }
  void backward() {
    if (op.kernel > 0) {
      return conv2d_backward(stream, {x, weight, y, dy, dx, dweight, dbias, {.padding = op.kernel / 2}, true});
    }
    linear_backward(stream, {flat(x), flat(weight), flat(y), flat(dy), flat(dx), flat(dweight), dbias, true});
  }

  /// Samples y and dweight against sums in double precision; exits 1 on a difference.
  void verify() {
    forward();
    backward();
    const double roundoff = x.dtype() == DType::fp32 ? 1e-5 : x.dtype() == DType::fp16 ? 1e-3 : 8e-3;
    for (std::int64_t i = 0; i < y.elements(); i += y.elements() / 61 + 1) {
      check("y", i, value(y, i), std::max(0.0, expected_y(i)), roundoff);
    }
    for (std::int64_t i = 0; i < weight.elements(); i += weight.elements() / 17 + 1) {
      check("dweight", i, value(dweight, i), expected_dweight(i), 1e-4);
    }
  }

  const Operation& op;
  std::int64_t n, side;
  Stream stream;
  Tensor x, weight, bias, y, dy, dx, dweight, dbias;

 private:
  static Tensor flat(const Tensor& t) { return t ? t.reshaped({t.shape()[0], t.elements() / t.shape()[0]}) : t; }

  /// x at the place that tap `tap` of output place `place` (row-major over all images) sees, channel c; 0 in the
  /// padding.
  double seen(std::int64_t place, std::int64_t tap, std::int64_t c) const {
    const std::int64_t e = op.extent, image = place / (e * e), shift = op.kernel / 2;
    const std::int64_t row = place / e % e + tap / side - shift, column = place % e + tap % side - shift;
    if (row < 0 || row >= e || column < 0 || column >= e) return 0;
    return value(x, ((image * e + row) * e + column) * op.in + c);
  }
  double expected_y(std::int64_t i) const {
    const std::int64_t k = i % op.out;
    double sum = value(bias, k);
    for (std::int64_t w = 0; w < side * side * op.in; ++w) {
      sum += seen(i / op.out, w / op.in, w % op.in) * value(weight, k * side * side * op.in + w);
    }
    return sum;
  }
  double expected_dweight(std::int64_t i) const {
    const std::int64_t k = i / (side * side * op.in), w = i % (side * side * op.in);
    double sum = 0;
    for (std::int64_t place = 0; place < y.elements() / op.out; ++place) {
      sum += seen(place, w / op.in, w % op.in) * value(dy, place * op.out + k);  // dy was masked by backward()
    }
    return sum;
  }
  void check(const char* what, std::int64_t i, double actual, double expected, double tolerance) const {
    if (std::abs(actual - expected) <= tolerance * (1 + std::abs(expected))) return;
    std::fprintf(stderr, "%s %s: %s[%lld] = %g, expected %g\n", op.name, std::string(name_of(x.dtype())).c_str(), what,
                 static_cast<long long>(i), actual, expected);
    std::exit(1);
  }
};

void report(std::int64_t images) {
  std::printf("%lld images, 1 thread, us of CPU time; share = floor / ours; the floor of fp16 is that of fp32\n",
              static_cast<long long>(images));
  for (const Operation& op : kOperations) {
    for (DType type : {DType::fp32, DType::bf16, DType::fp16}) {
      Run run(op, images, type);
      run.verify();
      const double forward = best_seconds([&] { run.forward(); }), backward = best_seconds([&] { run.backward(); });
      const benchmarks::Floor floor = benchmarks::matrix_floor(run.stream, op, images, type);
      std::printf("%-17s %s  forward %8.1f share %.2f   backward %8.1f share %.2f\n", op.name,
                  std::string(name_of(type)).c_str(), forward * 1e6, floor.forward / forward, backward * 1e6,
                  floor.backward / backward);
    }
  }
}

}  // namespace
}  // namespace mpdist::kernels

int main(int count, char** arguments) {
  const long images = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 64;
  if (images < 8 || images % 8 != 0) {
    std::fprintf(stderr, "convolution_benchmark: a multiple of 8 images expected\n");
    return 2;
  }
  mpdist::kernels::cpu::set_threads(1);
  mpdist::kernels::report(images);
  return 0;
}
