// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>

#include "benchmarks/kernels/reports.hpp"
#include "src/core/copy.hpp"
#include "src/core/cuda.hpp"

namespace mpdist::benchmarks {
namespace {

constexpr std::array kTypes{DType::fp16, DType::bf16, DType::fp32};
constexpr int kWarmUp = 3, kRounds = 9;
constexpr double kRoundSeconds = 10e-3;  ///< calls of a round take about so long together

/// Largest difference between the two devices, of the largest value: results are sums in another order, rounded to
/// their type. The tests compare each element by a sharper rule.
double tolerance(DType type) {
  if (type == DType::fp32) return 1e-4;
  return type == DType::fp16 ? 0x1p-8 : 0x1p-5;
}

/// Seconds of one call on a GPU, by events: the median of nine rounds; `once`: of a single one.
double seconds(const Stream& stream, const std::function<void()>& call, bool once) {
  Event begin(stream.device(), true), end(stream.device(), true);
  const auto time = [&](std::int64_t calls) {
    begin.record(stream);
    for (std::int64_t i = 0; i < calls; ++i) call();
    end.record(stream);
    end.synchronize();
    return std::max(end.seconds_since(begin), 1e-9) / static_cast<double>(calls);
  };
  if (once) return time(1);
  const auto calls = static_cast<std::int64_t>(std::clamp(kRoundSeconds / time(kWarmUp), 1.0, 1000.0));
  std::array<double, kRounds> rounds{};
  for (double& round : rounds) round = time(calls);
  std::ranges::nth_element(rounds, rounds.begin() + kRounds / 2);
  return rounds[kRounds / 2];
}

std::vector<std::vector<double>> run(Stream& stream, const Case& one) {
  Operands operands(stream);
  one.make(operands)();
  return operands.observed();
}

void verify(Stream& host, Stream& gpu, const Case& one, DType type) {
  const auto expected = run(host, one), found = run(gpu, one);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double largest = 0;
    for (const double value : expected[i]) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < expected[i].size(); ++k) {
      const double difference = std::abs(found[i][k] - expected[i][k]);
      require(difference <= tolerance(type) * largest, "{} {} {}: result {}, element {}: {} on the GPU, {} on the CPU",
              one.name, name_of(type), one.shape, i, k, found[i][k], expected[i][k]);
    }
  }
}

/// What this GPU does at best, measured now.
struct Ceilings {
  double bytes = 0;               ///< a second, by copies within the device
  std::array<double, 3> flops{};  ///< a second, of kTypes, by large products
  double launch = 0;              ///< seconds from one empty kernel to the next

  Ceilings(Stream& stream, const Sizes& sizes, bool once) {
    Operands operands(stream);
    const Tensor from = operands.in({4 * sizes.elements}, DType::fp32);
    const Tensor to = operands.out(from.shape(), DType::fp32);
    bytes = 2.0 * static_cast<double>(from.bytes()) /
            seconds(
                stream, [&] { copy(stream, from, to); }, once);
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      Operands own(stream);
      const Case product = product_case(sizes.product, sizes.product, sizes.product, kTypes[i]);
      flops[i] = product.operations / seconds(stream, product.make(own), once);
    }
    Operands tiny(stream);
    launch = seconds(stream, gradient_cases({.elements = 8}, DType::fp16).back().make(tiny), once);
  }
  void print() const {
    fmt::print("ceilings: copy {:.1f} GB/s, matrix products", bytes / 1e9);
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      fmt::print(" {} {:.1f}", name_of(kTypes[i]), flops[i] / 1e12);
    }
    fmt::print(" TFLOP/s, a kernel of 8 elements {:.1f} us\n", launch * 1e6);
  }
  double floor_seconds(const Case& one, std::size_t type) const {
    return std::max(one.bytes / bytes, one.operations / flops[type]);
  }
};

void measure(Stream& stream, const Case& one, std::size_t type, const Ceilings& ceilings, bool once) {
  Operands operands(stream);
  const double taken = seconds(stream, one.make(operands), once);
  fmt::print("{:<5} {:<22} {:<30} {:10.1f} us {:8.1f} GB/s {:8.1f} TFLOP/s  {:.2f}\n", name_of(kTypes[type]), one.name,
             one.shape, taken * 1e6, one.bytes / taken / 1e9, one.operations / taken / 1e12,
             ceilings.floor_seconds(one, type) / taken);
}

/// Memory of one case is of no use to the next, which has other sizes.
void give_back_memory() {
  Pool::cuda().trim();
  Pool::pinned().trim();
}

void verify_all(Stream& gpu, const Sizes& sizes) {
  Stream host;
  int verified = 0;
  for (const DType type : kTypes) {
    for (const Case& one : all_cases(sizes, type)) {
      verify(host, gpu, one, type);
      ++verified;
    }
  }
  fmt::print("{} cases agree with the CPU\n", verified);
}

void measure_all(Stream& gpu, const Sizes& sizes, bool once) {
  const Ceilings ceilings(gpu, sizes, once);
  ceilings.print();
  fmt::print("{:<5} {:<22} {:<30} {:>13} {:>13} {:>16}  share of the ceiling\n", "type", "kernel", "shape", "time",
             "useful bytes", "operations");
  for (std::size_t type = 0; type < kTypes.size(); ++type) {
    for (const Case& one : all_cases(sizes, kTypes[type])) {
      give_back_memory();
      measure(gpu, one, type, ceilings, once);
    }
  }
}

}  // namespace

void report_gpu(const Sizes& verified, const Sizes& timed, bool once) {
  fmt::print("{}, {}\n", cuda::device_name(0), cuda::versions());
  {
    Stream gpu(Pool::cuda());
    verify_all(gpu, verified);
    measure_all(gpu, timed, once);
  }
  give_back_memory();
}

}  // namespace mpdist::benchmarks
