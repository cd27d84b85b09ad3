// SPDX-License-Identifier: Apache-2.0
// Every kernel against what the device does at best in the same run: verified first, then timed. Useful bytes are what
// a kernel must read plus what it must write, once each.
//   kernels_benchmark [--device auto|cpu|cuda] [--small | --floors]
#include <cstdio>
#include <cstring>

#include "benchmarks/kernels/reports.hpp"
#include "src/core/cuda.hpp"

namespace mpdist::benchmarks {
namespace {

/// Arrays far beyond the last-level cache of any GPU (50 MB on H100), and ResNet-50 at batch 256.
constexpr Sizes kLarge{.elements = std::int64_t{64} << 20, .segments = 160, .images = 256, .product = 8192};
/// What a CPU computes at once: for verifying, and to try the program.
constexpr Sizes kSmall{.elements = 10007 * 2, .segments = 3, .images = 2, .divisor = 8, .product = 64};

constexpr const char* kUsage =
    "usage: kernels_benchmark [--device auto|cpu|cuda] [--small | --floors]\n"
    "  --small   a GPU's cases once, at the sizes that are verified: to try the program, times mean nothing\n"
    "  --floors  prints bytes, operations and floor of each case on an H100, runs nothing\n";

struct Options {
  std::string device = "auto";
  bool small = false, floors = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--device" && i + 1 < argc) {
      options.device = argv[++i];
    } else if (word == "--small") {
      options.small = true;
    } else if (word == "--floors") {
      options.floors = true;
    } else {
      throw UsageError(kUsage);
    }
  }
  if (options.device != "auto" && options.device != "cpu" && options.device != "cuda") throw UsageError(kUsage);
  return options;
}

/// Whether the GPU is measured; a CUDA build says why not.
bool takes_gpu(const std::string& device) {
  if (device == "cpu") return false;
  const cuda::Status status = cuda::status();
  if (status.devices > 0) return true;
  if (device == "cuda") throw UsageError("--device cuda: " + status.reason);
  if (status.built) fmt::print("on the CPU: {}\n", status.reason);
  return false;
}

void run(const Options& options) {
  if (options.floors) return print_floors(kLarge);
  if (!takes_gpu(options.device)) return report_cpu();
  cuda::use(0);
  report_gpu(kSmall, options.small ? kSmall : kLarge, options.small);
}

}  // namespace

void print_floors(const Sizes& sizes) {
  constexpr double kBytes = 3.35e12, kFlops = 989e12;  // a second, H100 SXM, data sheet: HBM3, dense FP16
  fmt::print("| kernel | shape | MB | GFLOP | floor, us | bound by |\n|---|---|---|---|---|---|\n");
  for (const Case& one : all_cases(sizes, DType::fp16)) {
    const double memory = one.bytes / kBytes, matrix = one.operations / kFlops;
    fmt::print("| {} | {} | {:.1f} | {} | {:.1f} | {} |\n", one.name, one.shape, one.bytes / 1e6,
               one.operations > 0 ? fmt::format("{:.1f}", one.operations / 1e9) : "", 1e6 * std::max(memory, matrix),
               matrix > memory ? "Tensor Cores" : "memory");
  }
}

}  // namespace mpdist::benchmarks

int main(int argc, char** argv) {
  try {
    mpdist::benchmarks::run(mpdist::benchmarks::parse(argc, argv));
    return 0;
  } catch (const mpdist::Error& error) {
    fmt::print(stderr, "kernels_benchmark: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
