// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>

#include "benchmarks/kernels/optimizer_steps.hpp"
#include "benchmarks/kernels/reports.hpp"
#include "kernels/add.hpp"
#include "kernels/digest.hpp"
#include "kernels/leaf_round.hpp"
#include "src/core/half.hpp"

namespace mpdist::benchmarks {
namespace {

using namespace kernels;

constexpr std::int64_t kElements = 1000;

/// A step from slots of zero, done: its masters before and after, and its unscaled gradients.
struct Update {
  std::vector<double> before, after, gradient;

  template <class Step, class Kernel>
  Update(Stream& stream, Kernel kernel, const Step& step) {
    before = values(step.master);
    gradient = values(step.gradient);
    for (double& g : gradient) g *= kUnscale;
    kernel(stream, step);
    after = values(step.master);
  }

  static std::vector<double> values(const Tensor& tensor) {
    std::vector<double> result;
    with_compute_type(tensor.dtype(), [&]<class T>(T) {
      for (const T value : tensor.span<T>()) result.push_back(to_float(value));
    });
    return result;
  }
  static double norm(const std::vector<double>& vector) {
    double squares = 0;
    for (const double value : vector) squares += value * value;
    return std::sqrt(squares);
  }
  /// Whether each master fell by expected(master, gradient), to the rounding of the master.
  template <class Expected>
  void verify(const char* kernel, Expected expected) const {
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double fell = before[i] - after[i], by = expected(before[i], gradient[i]);
      require(std::abs(fell - by) <= 1e-5 * std::abs(by) + 3e-8, "{}: element {} fell by {}, expected {}", kernel, i,
              fell, by);
    }
  }
};

void verify_optimizers(Stream& stream, DType type) {
  Operands operands(stream);
  const auto sign = [](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0; };
  // Adam's first update, of moments (1 - beta1)*g and (1 - beta2)*g*g with both corrections 0.5.
  const auto adam_update = [](double g, double eps) { return 0.1 * g / 0.5 / (std::sqrt(0.001 * g * g / 0.5) + eps); };
  Update(stream, sgd_step, sgd(operands, kElements, 1, type)).verify("sgd_step", [](double w, double g) {
    return kRate * (g + kDecay * w);
  });
  Update(stream, adamw_step, adam<AdamwStep>(operands, kElements, 1, type))
      .verify("adamw_step", [&](double w, double g) { return kRate * (adam_update(g, 1e-8) + kDecay * w); });
  Update(stream, rmsprop_step, rmsprop(operands, kElements, 1, type)).verify("rmsprop_step", [](double w, double g) {
    return kRate * (g / (std::sqrt(0.01 * g * g) + 1e-8) + kDecay * w);
  });
  Update(stream, lion_step, lion(operands, kElements, 1, type)).verify("lion_step", [&](double w, double g) {
    return kRate * (sign(g) + kDecay * w);
  });
  const Update lars_update(stream, lars_step, lars(operands, kElements, 1, type));
  const double w_norm = Update::norm(lars_update.before), g_norm = Update::norm(lars_update.gradient);
  const double trust = 1e-3 * w_norm / (g_norm + kDecay * w_norm);
  lars_update.verify("lars_step", [&](double w, double g) { return kRate * trust * (g + kDecay * w); });
  const Update lamb_update(stream, lamb_step, adam<LambStep>(operands, kElements, 1, type));
  std::vector<double> updates;
  for (std::size_t i = 0; i < lamb_update.before.size(); ++i) {
    updates.push_back(adam_update(lamb_update.gradient[i], 1e-6) + kDecay * lamb_update.before[i]);
  }
  const double ratio = Update::norm(lamb_update.before) / Update::norm(updates);
  lamb_update.verify("lamb_step",
                     [&](double w, double g) { return kRate * ratio * (adam_update(g, 1e-6) + kDecay * w); });
}

void verify_gradients(Stream& stream, DType type) {
  Operands operands(stream);
  const Tensor gradient = operands.in({kElements}, type), other = operands.in({kElements}, type);
  const Tensor source = operands.in({kElements}, DType::fp32);
  const SegmentSpan span{0, kElements};
  TensorStatistics statistics;
  gradient_statistics(stream, {gradient, &span, 1, &statistics});
  std::uint64_t expected = 0;
  digest(stream, {.tensor = gradient, .digest = &expected});
  require(statistics.digest == expected && statistics.nonfinite == 0, "gradient_statistics: wrong digest or count");
  const Tensor sum = operands.out({kElements}, type), leaf = operands.out({kElements}, type);
  std::int64_t nonfinite = 0;
  add(stream, {gradient, other, sum});
  leaf_round(stream, {source, leaf, 4, &nonfinite});
  with_compute_type(type, [&]<class T>(T) {
    for (std::int64_t i = 0; i < kElements; ++i) {
      const float left = to_float(gradient.data<T>()[i]), right = to_float(other.data<T>()[i]);
      require(to_float(sum.data<T>()[i]) == to_float(from_float<T>(left + right)), "add: wrong at element {}", i);
      require(to_float(leaf.data<T>()[i]) == to_float(from_float<T>(4 * source.data<float>()[i])),
              "leaf_round: wrong at element {}", i);
    }
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

void print_line(std::int64_t n, DType type, std::string_view name, double gb_s, double copied) {
  fmt::print("{:>9} {:<5} {:<20} {:7.1f} GB/s  {:.2f}\n", n, name_of(type), name, gb_s, gb_s / copied);
}

void measure(std::int64_t n, DType type) {
  Stream stream;
  const Sizes sizes{.elements = n};
  Operands copied_operands(stream);
  const Tensor from = copied_operands.in({n}, DType::fp32), to = copied_operands.in({n}, DType::fp32);
  const double copied =
      8.0 * static_cast<double>(n) / 1e9 / seconds([&] { std::memcpy(to.raw(), from.raw(), from.bytes()); }, n);
  print_line(n, type, "memcpy", copied, copied);
  for (auto* cases : {optimizer_cases, gradient_cases}) {
    for (const Case& one : cases(sizes, type)) {
      Operands operands(stream);
      print_line(n, type, one.name, one.bytes / 1e9 / seconds(one.make(operands), n), copied);
    }
  }
}

}  // namespace

void report_cpu() {
  Stream stream;
  for (DType type : {DType::fp32, DType::fp16}) {
    verify_optimizers(stream, type);
    verify_gradients(stream, type);
  }
  fmt::print("{:>9} {:<5} {:<20} {:>12}  ratio to memcpy\n", "elements", "type", "kernel", "useful bytes");
  for (std::int64_t n : {std::int64_t{256} << 10, std::int64_t{4} << 20, std::int64_t{32} << 20}) {
    for (DType type : {DType::fp32, DType::fp16}) measure(n, type);
  }
}

}  // namespace mpdist::benchmarks
