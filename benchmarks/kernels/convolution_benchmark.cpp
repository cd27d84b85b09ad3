// SPDX-License-Identifier: Apache-2.0
// linear and conv2d at the shapes of `mlp` and `cnn` against their floor: the oneDNN primitives alone, on operands that
// stay in cache. Verified first, then timed; 1 thread. Usage: convolution_benchmark [images]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>

#include "kernels/conv2d.hpp"
#include "kernels/cpu/onednn.hpp"
#include "kernels/linear.hpp"
#include "kernels/threads.hpp"
#include "src/core/philox.hpp"

namespace mpdist::kernels {
namespace {

namespace onednn = cpu::onednn;

/// kernel 0: a linear layer, as a convolution of 1 x 1 images.
struct Operation {
  const char* name;
  std::int64_t extent, in, out, kernel;
  bool input_gradient;
};

constexpr Operation kOperations[] = {
    {"conv 28x28 1>32", 28, 1, 32, 3, false},   {"conv 14x14 32>64", 14, 32, 64, 3, true},
    {"linear 3136>128", 1, 3136, 128, 0, true}, {"linear 784>512", 1, 784, 512, 0, false},
    {"linear 512>512", 1, 512, 512, 0, true},   {"linear 512>10", 1, 512, 10, 0, true}};

Tensor filled(Shape shape, DType type, std::uint64_t seed, float scale) {
  Tensor tensor(shape, type, MemoryKind::workspace);
  const RandomKey key{seed, hash_name("benchmark"), 0};
  with_compute_type(type, [&]<class T>(T) {
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      tensor.data<T>()[i] = from_float<T>(scale * (2 * uniform(key.words(0, static_cast<std::uint64_t>(i))[0]) - 1));
    }
  });
  return tensor;
}

double value(const Tensor& tensor, std::int64_t i) {
  return with_compute_type(tensor.dtype(), [&]<class T>(T) -> double { return to_float(tensor.data<T>()[i]); });
}

struct Run {
  Run(const Operation& operation, std::int64_t images, DType type)
      : op(operation), n(images), side(std::max<std::int64_t>(op.kernel, 1)) {
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

/// CPU seconds of one call, the best of several rounds: other processes do not count.
double seconds(const std::function<void()>& call) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 9; ++round) {
    call();
    const double start = now();
    call();
    best = std::min(best, now() - start);
  }
  return best;
}

struct Floor {
  double forward = 0, backward = 0;
};

/// The primitives alone, on one tile over and over, at the tile size that suits each best.
Floor convolution_floor(Run& run, DType type) {
  const auto best_of_tiles = [&](onednn::ConvolutionPass pass) {
    double best = std::numeric_limits<double>::infinity();
    for (std::int64_t tile : {1, 2, 4, 8}) {
      const auto& plan = onednn::plan(onednn::ConvolutionShape{.pass = pass,
                                                               .operands = type,
                                                               .images = tile,
                                                               .height = run.op.extent,
                                                               .width = run.op.extent,
                                                               .in = run.op.in,
                                                               .out = run.op.out,
                                                               .kernel_height = run.side,
                                                               .kernel_width = run.side,
                                                               .padding = run.op.kernel / 2});
      const Tensor packed = filled({static_cast<std::int64_t>(plan.packed_bytes() / 4)}, DType::fp32, 1, 0);
      void* const scratch = run.stream.workspace(plan.scratch_bytes() + 64);
      const void* const x = run.op.input_gradient ? run.dx.raw() : run.x.raw();
      best = std::min(best, seconds([&] {
                        for (std::int64_t i = 0; i < run.n; i += tile) {
                          plan.run(x, packed.raw(), nullptr, run.dy.raw(), scratch);
                        }
                      }));
    }
    return best;
  };
  using enum onednn::ConvolutionPass;
  return {best_of_tiles(forward),
          best_of_tiles(backward_weights) + (run.op.input_gradient ? best_of_tiles(backward_data) : 0)};
}

Floor linear_floor(Run& run, DType type) {
  const std::int64_t n = run.n, in = run.op.in, out = run.op.out;
  const auto time = [&](std::int64_t rows, std::int64_t columns, std::int64_t depth, bool first, bool second,
                        DType result) {
    const auto& plan = onednn::plan(onednn::MatmulShape{.rows = rows,
                                                        .columns = columns,
                                                        .depth = depth,
                                                        .a_leading = first ? rows : depth,
                                                        .b_leading = second ? depth : columns,
                                                        .c_leading = columns,
                                                        .a_transposed = first,
                                                        .b_transposed = second,
                                                        .operands = type,
                                                        .result = result});
    const Tensor a = filled({rows, depth}, type, 1, 1), b = filled({depth, columns}, type, 2, 1),
                 c = filled({rows, columns}, result, 3, 0);
    void* const scratch = run.stream.workspace(plan.scratch_bytes() + 64);
    return seconds([&] { plan.run(a.raw(), b.raw(), c.raw(), scratch); });
  };
  const double forward = std::min(time(n, out, in, false, true, type), time(out, n, in, false, true, DType::fp32));
  return {forward, time(out, in, n, true, false, DType::fp32) +
                       (run.op.input_gradient ? time(n, in, out, false, false, type) : 0)};
}

void report(std::int64_t images) {
  std::printf("%lld images, 1 thread, us of CPU time; share = floor / ours; the floor of fp16 is that of fp32\n",
              static_cast<long long>(images));
  for (const Operation& op : kOperations) {
    for (DType type : {DType::fp32, DType::bf16, DType::fp16}) {
      Run run(op, images, type);
      run.verify();
      const double forward = seconds([&] { run.forward(); }), backward = seconds([&] { run.backward(); });
      const DType operands = onednn::is_native(type) ? type : DType::fp32;
      Run plain(op, images, operands);
      const Floor floor = op.kernel > 0 ? convolution_floor(plain, operands) : linear_floor(plain, operands);
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
