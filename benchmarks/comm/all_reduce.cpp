// SPDX-License-Identifier: Apache-2.0
// All-reduce of FP32 gradients: the tree, delivered to every rank and read in place, against MPI_Allreduce (the better
// of in place and not). The contenders take turns in every round, so that a noisy minute hits all; every rank rewrites
// its gradient before each turn, since buffers that nobody touches stay in cache and flatter all. Each sum is verified.
//   mpirun -np 2 all_reduce_benchmark [MB ...]
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <vector>

#include "comm/mpi/check.hpp"
#include "comm/mpi/environment.hpp"
#include "comm/mpi/mpi_communicator.hpp"

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

}  // namespace

int main(int argc, char** argv) {
  Environment environment(argc, argv);
  try {
    const auto ranks = make_mpi();
    std::vector<std::int64_t> megabytes;
    for (int i = 1; i < argc; ++i) megabytes.push_back(std::atoll(argv[i]));
    if (megabytes.empty()) megabytes = {1, 16, 64};
    for (std::int64_t size : megabytes) run(*ranks, size << 20);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "all_reduce_benchmark: {}\n", error.what());
    Environment::abort(error.exit_code());
  }
}
