// SPDX-License-Identifier: Apache-2.0
// Element-wise kernels against the copy bandwidth of the same run: verified first, then timed. Useful bytes are what a
// kernel must read plus what it must write, once each.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>

#include "kernels/adamw_step.hpp"
#include "kernels/add.hpp"
#include "kernels/digest.hpp"
#include "kernels/gradient_statistics.hpp"
#include "kernels/lamb_step.hpp"
#include "kernels/lars_step.hpp"
#include "kernels/leaf_round.hpp"
#include "kernels/lion_step.hpp"
#include "kernels/rmsprop_step.hpp"
#include "kernels/sgd_step.hpp"

namespace mpdist::kernels {
namespace {

/// Flat arrays of one size that all cases share.
struct Arrays {
  std::int64_t n;
  DType type;  ///< of gradient, wire and working copy
  Tensor master, m, v, gradient, other, working;
  OptimizerSegment segment;
  SegmentSpan span;
  std::int64_t counter = 0;
  TensorStatistics statistics;

  static Tensor filled(std::int64_t n, DType type, float value) {
    Tensor tensor({n}, type, MemoryKind::workspace);
    with_compute_type(type, [&]<class T>(T) {
      for (std::int64_t i = 0; i < n; ++i) tensor.data<T>()[i] = from_float<T>(value * static_cast<float>(i % 7 - 3));
    });
    return tensor;
  }
  Arrays(std::int64_t elements, DType t)
      : n(elements),
        type(t),
        master(filled(n, DType::fp32, 0.125F)),
        m(filled(n, DType::fp32, 0)),
        v(filled(n, DType::fp32, 0)),
        gradient(filled(n, type, 1)),
        other(filled(n, type, 2)),
        segment{.offset = 0, .elements = n, .lr_scale = 1, .decay = 1e-2F},
        span{0, n} {
    if (type != DType::fp32) working = filled(n, type, 0);
  }
};

/// Fields that every optimizer step has, beside its slots.
template <class Step>
Step optimizer_step(Arrays& arrays) {
  Step a;
  a.master = arrays.master;
  a.gradient = arrays.gradient;
  a.working = arrays.working;
  a.unscale = 1.0 / 65536 / 120;
  a.lr = 1e-3F;
  a.segments = &arrays.segment;
  a.segment_count = 1;
  a.saturated = &arrays.counter;
  return a;
}

SgdStep sgd(Arrays& arrays) {
  auto a = optimizer_step<SgdStep>(arrays);
  a.momentum = arrays.m;
  a.mu = 0.9F;
  return a;
}

/// AdamW and LAMB.
template <class Step>
Step adam(Arrays& arrays) {
  auto a = optimizer_step<Step>(arrays);
  a.m = arrays.m;
  a.v = arrays.v;
  a.correction1 = a.correction2 = 0.5;
  return a;
}

RmspropStep rmsprop(Arrays& arrays) {
  auto a = optimizer_step<RmspropStep>(arrays);
  a.square = arrays.v;
  a.momentum = arrays.m;
  a.mu = 0.9F;
  return a;
}

LionStep lion(Arrays& arrays) {
  auto a = optimizer_step<LionStep>(arrays);
  a.m = arrays.m;
  return a;
}

LarsStep lars(Arrays& arrays) {
  auto a = optimizer_step<LarsStep>(arrays);
  a.momentum = arrays.m;
  a.mu = 0.9F;
  return a;
}

void verify(bool condition, const char* what) {
  if (condition) return;
  fmt::print("wrong result: {}\n", what);
  std::exit(1);
}

bool is_near(double value, double expected) {
  return std::abs(value - expected) <= 1e-5 * std::abs(expected);
}

/// First update of the others, from slots of zero: element 999 has gradient 2 * unscale and master 0.25.
void verify_others(Stream& stream, DType type) {
  const double g = 2.0 / 65536 / 120, w = 0.25, decay = 1e-2, lr = 1e-3;
  const auto master = [](const Arrays& a) { return static_cast<double>(a.master.data<float>()[999]); };
  Arrays one(1000, type), two(1000, type), three(1000, type), four(1000, type);
  rmsprop_step(stream, rmsprop(one));
  verify(is_near(w - master(one), lr * (g / (0.1 * g + 1e-8) + decay * w)), "rmsprop_step");
  lion_step(stream, lion(two));
  verify(is_near(w - master(two), lr * (1 + decay * w)), "lion_step");
  // Masters are 0.125, gradients 1 * unscale times the same whole numbers: their norms have that ratio.
  lars_step(stream, lars(three));
  const double trust = 1e-3 * 0.125 / (g / 2 + decay * 0.125);
  verify(is_near(three.m.data<float>()[999], lr * trust * (g + decay * w)), "lars_step");
  lamb_step(stream, adam<LambStep>(four));
  double squares_w = 0, squares_u = 0, u = 0;
  for (int k = 0; k < 1000; ++k) {
    const double n = k % 7 - 3, gradient = n * g / 2;
    u = 0.1 * gradient / 0.5 / (std::sqrt(0.001 * gradient * gradient / 0.5) + 1e-6) + decay * 0.125 * n;
    squares_w += 0.125 * n * 0.125 * n;
    squares_u += u * u;
  }
  verify(std::abs(w - master(four) - lr * std::sqrt(squares_w / squares_u) * u) < 1e-6, "lamb_step");
}

/// One element of each kernel against its formula; the tests do this in full.
void verify_kernels(DType type) {
  Stream stream;
  Arrays a(1000, type);
  const std::int64_t i = 999;  // 999 % 7 - 3 = 2: gradient 2, other 4, master 0.25
  sgd_step(stream, sgd(a));
  const auto g = static_cast<float>(2.0 / 65536 / 120);
  verify(a.m.data<float>()[i] == g, "sgd_step momentum");
  verify(a.master.data<float>()[i] == 0.25F - 1e-3F * (g + 1e-2F * 0.25F), "sgd_step master");
  adamw_step(stream, adam<AdamwStep>(a));
  verify(std::abs(a.m.data<float>()[i] - g) < 1e-6F * g, "adamw_step m");
  verify_others(stream, type);
  gradient_statistics(stream, {a.gradient, &a.span, 1, &a.statistics});
  std::uint64_t expected = 0;
  digest(stream, {.tensor = a.gradient, .digest = &expected});
  verify(a.statistics.digest == expected && a.statistics.nonfinite == 0, "gradient_statistics");
  add(stream, {a.gradient, a.other, a.other});
  leaf_round(stream, {a.master, a.gradient, 4, &a.counter});
  with_compute_type(type, [&]<class T>(T) {
    verify(to_float(a.other.data<T>()[i]) == 6, "add");
    verify(to_float(a.gradient.data<T>()[i]) == to_float(from_float<T>(4 * a.master.data<float>()[i])), "leaf_round");
  });
}

/// CPU time of this thread: the kernels run on one thread, and what others take of its core is not theirs.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Seconds of one call: the best of nine rounds, each of enough calls to be measurable.
double seconds(const std::function<void()>& body, std::int64_t n) {
  const std::int64_t calls = std::max<std::int64_t>(1, (std::int64_t{8} << 20) / n);
  body();
  double best = 1e30;
  for (int round = 0; round < 9; ++round) {
    const double start = cpu_seconds();
    for (std::int64_t call = 0; call < calls; ++call) body();
    best = std::min(best, (cpu_seconds() - start) / static_cast<double>(calls));
  }
  return best;
}

void measure(std::int64_t n, DType type) {
  Stream stream;
  Arrays a(n, type);
  const auto width = static_cast<double>(size_of(type));
  const double copied =
      8.0 * static_cast<double>(n) / 1e9 / seconds([&] { std::memcpy(a.m.raw(), a.v.raw(), a.m.bytes()); }, n);
  fmt::print("{:>9} {:<5} {:<20} {:7.1f} GB/s  1.00\n", n, name_of(type), "memcpy", copied);
  const auto line = [&](const char* name, double bytes, const std::function<void()>& body) {
    const double rate = bytes * static_cast<double>(n) / 1e9 / seconds(body, n);
    fmt::print("{:>9} {:<5} {:<20} {:7.1f} GB/s  {:.2f}\n", n, name_of(type), name, rate, rate / copied);
  };
  const double copy_bytes = a.working ? width : 0;
  line("sgd_step", 16 + width + copy_bytes, [&] { sgd_step(stream, sgd(a)); });
  line("adamw_step", 24 + width + copy_bytes, [&] { adamw_step(stream, adam<AdamwStep>(a)); });
  line("rmsprop_step", 24 + width + copy_bytes, [&] { rmsprop_step(stream, rmsprop(a)); });
  line("lion_step", 16 + width + copy_bytes, [&] { lion_step(stream, lion(a)); });
  line("lars_step", 16 + width + copy_bytes, [&] { lars_step(stream, lars(a)); });
  line("lamb_step", 24 + width + copy_bytes, [&] { lamb_step(stream, adam<LambStep>(a)); });
  line("gradient_statistics", width, [&] { gradient_statistics(stream, {a.gradient, &a.span, 1, &a.statistics}); });
  line("leaf_round", 4 + width, [&] { leaf_round(stream, {a.master, a.other, 1, &a.counter}); });
  line("add", 3 * width, [&] { add(stream, {a.gradient, a.other, a.other}); });
}

}  // namespace
}  // namespace mpdist::kernels

int main() {
  using namespace mpdist;
  using namespace mpdist::kernels;
  for (DType type : {DType::fp32, DType::fp16}) verify_kernels(type);
  fmt::print("{:>9} {:<5} {:<20} {:>12}  ratio to memcpy\n", "elements", "type", "kernel", "useful bytes");
  for (std::int64_t n : {std::int64_t{256} << 10, std::int64_t{4} << 20, std::int64_t{32} << 20}) {
    for (DType type : {DType::fp32, DType::fp16}) measure(n, type);
  }
}
