// SPDX-License-Identifier: Apache-2.0
// All-reduce of FP32 gradients: the tree, delivered to every rank and read in place, against MPI_Allreduce (the better
// of in place and not). The contenders take turns in every round, so that a noisy minute hits all; every rank rewrites
// its gradient before each turn, since buffers that nobody touches stay in cache and flatter all. Each sum is verified.
// With --device cuda: of FP16 on GPUs, against ncclAllReduce.
//   mpirun -np 2 all_reduce_benchmark [--device cpu|cuda] [MB ...]
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/comm/gpu_all_reduce.hpp"
#include "comm/factory.hpp"
#include "comm/mpi/check.hpp"
#include "comm/mpi/environment.hpp"
#include "comm/mpi/mpi_communicator.hpp"
#include "src/core/cuda.hpp"

namespace {

using namespace mpdist;
using namespace mpdist::comm;

constexpr int kRounds = 21, kWarmUp = 3;

/// One way to sum: where this rank writes its gradient, and a call that returns where it reads the sum.
struct Contender {
  float* gradient = nullptr;
  std::function<const float*()> reduce;
  std::vector<double> times_us{};

  double median_us() {
    std::nth_element(times_us.begin(), times_us.begin() + kRounds / 2, times_us.end());
    return times_us[kRounds / 2];
  }
};

void verify(const float* sum, int ranks, int round, std::int64_t elements) {
  for (std::int64_t i = 0; i < elements; i += 1021) {
    const auto expected = static_cast<float>(ranks * (ranks + 1) / 2 * (i % 7 + round % 5));
    require(sum[i] == expected, "element {}: {} expected, found {}", i, expected, sum[i]);
  }
}

/// Writes the gradient, sums, verifies; the time of the slowest rank counts.
void turn(Communicator& ranks, Contender& contender, SharedBuffer& buffer, int round, std::int64_t elements) {
  buffer.acquire();
  for (std::int64_t i = 0; i < elements; ++i) {
    contender.gradient[i] = static_cast<float>((ranks.rank() + 1) * (i % 7 + round % 5));
  }
  ranks.barrier();
  const double start = MPI_Wtime();
  const float* sum = contender.reduce();
  double taken = MPI_Wtime() - start;
  verify(sum, ranks.size(), round, elements);
  buffer.release();
  MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, &taken, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD));
  if (round >= kWarmUp) contender.times_us.push_back(taken * 1e6);
}

void print(int n, std::int64_t bytes, double mpi, double delivered, double in_place) {
  const double bus_gb_s = static_cast<double>(bytes) / delivered * 2 * (n - 1) / n / 1e3;
  fmt::print(
      "{} ranks, {:3} MB: MPI_Allreduce {:8.0f} us | tree to every rank {:8.0f} us, {:5.2f}x, bus {:5.1f} GB/s | read "
      "in place "
      "{:8.0f} us, {:5.2f}x\n",
      n, bytes >> 20, mpi, delivered, mpi / delivered, bus_gb_s, in_place, mpi / in_place);
}

void run(Communicator& ranks, std::int64_t bytes) {
  const std::int64_t elements = bytes / 4;
  const auto buffer = ranks.allocate_shared(static_cast<std::size_t>(bytes));
  auto* window = reinterpret_cast<float*>(buffer->local());
  std::vector<float> in(elements), out(elements);
  const auto tree = [&](Delivery delivery) {
    return [&, delivery] {
      return reinterpret_cast<const float*>(ranks.tree_all_reduce(*buffer, 0, elements, DType::fp32, delivery));
    };
  };
  const auto library = [&](void* from, float* to) {
    return [=]() -> const float* {
      MPDIST_MPI(MPI_Allreduce(from, to, static_cast<int>(elements), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD));
      return to;
    };
  };
  std::array<Contender, 4> contenders{{{in.data(), library(in.data(), out.data())},
                                       {in.data(), library(MPI_IN_PLACE, in.data())},
                                       {window, tree(Delivery::every_rank)},
                                       {window, tree(Delivery::in_place)}}};
  for (int round = 0; round < kRounds + kWarmUp; ++round) {
    for (Contender& contender : contenders) turn(ranks, contender, *buffer, round, elements);
  }
  if (ranks.rank() == 0) {
    const double mpi = std::min(contenders[0].median_us(), contenders[1].median_us());
    print(ranks.size(), bytes, mpi, contenders[2].median_us(), contenders[3].median_us());
  }
}

/// On the GPUs of the machines, one a rank.
void run_on_gpus(Communicator& host, const std::vector<std::int64_t>& sizes) {
  const cuda::Status status = cuda::status();
  const int gpu = local_rank(host);
  if (status.devices <= gpu) {
    throw UsageError(fmt::format("--device cuda: {}",
                                 status.devices == 0 ? status.reason
                                                     : fmt::format("rank {} needs GPU {} of its machine, which has {}",
                                                                   host.rank(), gpu, status.devices)));
  }
  cuda::use(gpu);
  {
    const auto gpus = make_nccl(host);
    for (std::int64_t bytes : sizes) benchmarks::measure_gpu_all_reduce(host, *gpus, bytes);
  }
  Pool::cuda().trim();
  Pool::pinned().trim();
}

struct Options {
  bool on_gpus = false;
  std::vector<std::int64_t> sizes;  ///< bytes
};

Options parse(const std::vector<std::string>& words) {
  constexpr const char* kUsage = "usage: all_reduce_benchmark [--device cpu|cuda] [MB ...]";
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--device") {
      const std::string device = ++i < words.size() ? words[i] : "";
      if (device != "cpu" && device != "cuda") throw UsageError(kUsage);
      options.on_gpus = device == "cuda";
      continue;
    }
    const std::int64_t megabytes = std::atoll(words[i].c_str());
    if (megabytes < 1) throw UsageError(kUsage);
    options.sizes.push_back(megabytes << 20);
  }
  if (options.sizes.empty()) options.sizes = {1 << 20, 16 << 20, 64 << 20};
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Environment environment(argc, argv);
  try {
    const auto ranks = make_mpi();
    const Options options = parse({argv + 1, argv + argc});
    if (options.on_gpus) {
      run_on_gpus(*ranks, options.sizes);
    } else {
      for (std::int64_t bytes : options.sizes) run(*ranks, bytes);
    }
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "all_reduce_benchmark: {}\n", error.what());
    Environment::abort(error.exit_code());
  }
}
