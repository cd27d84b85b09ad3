// SPDX-License-Identifier: Apache-2.0
// All-reduce of gradients, microseconds, median of the rounds: the tree in every wire type, read in place and delivered
// to every rank, against MPI_Allreduce (the better of in place and not) of the same bytes. Every rank rewrites its
// gradient before each round: buffers that nobody touches stay in cache and flatter all contenders. Sums are verified,
// then timed.
//   mpirun -np 2 all_reduce_benchmark [MB ...]
#include <mpi.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "comm/mpi/check.hpp"
#include "comm/mpi/environment.hpp"
#include "comm/mpi/mpi_communicator.hpp"

namespace {

using namespace mpdist;
using namespace mpdist::comm;

constexpr int kRounds = 15, kWarmUp = 3;

/// Writes of both buffers, and what the sum must be at element i.
float value(int rank, int round, std::int64_t i) {
  return static_cast<float>((rank + 1) * (i % 7 + round % 5));
}

struct Bench {
  Communicator& ranks;
  std::int64_t elements;

  /// Median over rounds of the slowest rank's time, with `fill` before and `check` after each.
  double time_us(const std::function<void(int)>& fill, const std::function<const float*()>& reduce,
                 const std::function<void()>& release) const {
    std::vector<double> times;
    for (int round = 0; round < kRounds + kWarmUp; ++round) {
      fill(round);
      ranks.barrier();
      const double start = MPI_Wtime();
      const float* sum = reduce();
      double taken = MPI_Wtime() - start;
      verify(sum, round);
      release();
      MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, &taken, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD));
      if (round >= kWarmUp) times.push_back(taken * 1e6);
    }
    std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
    return times[kRounds / 2];
  }

  void verify(const float* sum, int round) const {
    const int n = ranks.size();
    for (std::int64_t i = 0; i < elements; i += 1021) {
      const float expected = static_cast<float>(n * (n + 1) / 2 * (i % 7 + round % 5));
      require(sum[i] == expected, "element {}: {} expected, found {}", i, expected, sum[i]);
    }
  }

  void fill(float* data, int round) const {
    for (std::int64_t i = 0; i < elements; ++i) data[i] = value(ranks.rank(), round, i);
  }
};

void run(Communicator& ranks, std::int64_t bytes) {
  const Bench bench{ranks, bytes / 4};
  const auto buffer = ranks.allocate_shared(static_cast<std::size_t>(bytes));
  auto* mine = reinterpret_cast<float*>(buffer->local());
  const auto fill_window = [&](int round) {
    buffer->acquire();
    bench.fill(mine, round);
  };
  const auto tree = [&](Delivery delivery) {
    return bench.time_us(
        fill_window,
        [&] {
          return reinterpret_cast<const float*>(
              ranks.tree_all_reduce(*buffer, 0, bench.elements, DType::fp32, delivery));
        },
        [&] { buffer->release(); });
  };
  std::vector<float> in(bench.elements), out(bench.elements);
  const auto fill_private = [&](int round) { bench.fill(in.data(), round); };
  const auto library = [&](bool in_place) {
    return bench.time_us(
        fill_private,
        [&]() -> const float* {
          MPDIST_MPI(MPI_Allreduce(in_place ? MPI_IN_PLACE : in.data(), in_place ? in.data() : out.data(),
                                   static_cast<int>(bench.elements), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD));
          return in_place ? in.data() : out.data();
        },
        [] {});
  };
  const double mpi = std::min(library(false), library(true));
  const double delivered = tree(Delivery::every_rank);
  const double in_place = tree(Delivery::in_place);
  const int n = ranks.size();
  const double bus_gb_s = static_cast<double>(bytes) / delivered * 2 * (n - 1) / n / 1e3;
  if (ranks.rank() == 0) {
    fmt::print(
        "{} ranks, {:4} MB fp32: MPI_Allreduce {:8.0f} us | tree delivered to every rank {:8.0f} us, {:4.1f}x, bus "
        "{:5.1f} GB/s | read in place {:8.0f} us, {:4.1f}x\n",
        n, bytes >> 20, mpi, delivered, mpi / delivered, bus_gb_s, in_place, mpi / in_place);
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
    fmt::print(stderr, "all_reduce: {}\n", error.what());
    Environment::abort(error.exit_code());
  }
}
