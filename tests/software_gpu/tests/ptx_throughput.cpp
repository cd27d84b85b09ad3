// SPDX-License-Identifier: Apache-2.0
// Lane instructions a second of the PTX executor, all checks on.
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>

#include "tests/software_gpu/tests/ptx_machine.hpp"

namespace software_gpu::testing {
namespace {

/// Runs the kernel for about a second; `lanes`: lane instructions of one launch, as SOFTWARE_GPU_STATISTICS counts
/// them.
void time_kernel(const char* name, dim3 grid, unsigned block, const std::vector<Argument>& arguments) {
  const std::uint64_t before = executed_warp_instructions();
  const std::clock_t start = std::clock();  // of this process: other processes do not count
  double seconds = 0;
  int launches = 0;
  for (; seconds < 0.5; ++launches) {
    run(name, grid, block, 0, arguments);
    seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  const double warps = static_cast<double>(executed_warp_instructions() - before);
  std::printf("%-10s %8.0f warp instructions a launch, %6.2f ms a launch, %7.0f M lane instructions/s\n", name,
              warps / launches, 1e3 * seconds / launches, 32e-6 * warps / seconds);
}

void time_all() {
  constexpr int kCount = 1 << 18, kSide = 128;
  const Array<float> master(std::vector<float>(kCount, 0.5f)), m(std::vector<float>(kCount, 0.0f)),
      v(std::vector<float>(kCount, 0.0f));
  const Array<std::uint16_t> half(std::vector<std::uint16_t>(kCount, 0x3800)), working(kCount);
  const Array<float> sums(256), product(kSide * kSide);
  time_kernel("adamw", 64, 256,
              {master.argument(), m.argument(), v.argument(), half.argument(), working.argument(), argument(kCount / 4),
               argument(0.5f), argument(1e-3f), argument(0.9f), argument(0.999f), argument(1e-8f), argument(0.01f)});
  time_kernel("row_sums", 64, 256, {master.argument(), sums.argument(), argument(4096)});
  time_kernel("matmul", dim3(kSide / 16, kSide / 16), 256,
              {master.argument(), master.argument(), product.argument(), argument(kSide)});
  time_kernel("gelu", kCount / 256, 256, {half.argument(), working.argument(), argument(kCount)});
}

}  // namespace
}  // namespace software_gpu::testing

int main() {
  std::ifstream file(SOFTWARE_GPU_THROUGHPUT_PTX);
  software_gpu::load_module(std::string(std::istreambuf_iterator<char>(file), {}), SOFTWARE_GPU_THROUGHPUT_PTX);
  software_gpu::testing::time_all();
  return 0;
}
