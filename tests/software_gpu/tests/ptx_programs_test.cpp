// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/ptx_programs.hpp"

#include <algorithm>
#include <bit>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

#include "tests/software_gpu/tests/ptx_machine.hpp"

namespace software_gpu::testing {
namespace {

class PtxPrograms : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::ifstream file(SOFTWARE_GPU_PROGRAMS_PTX);
    load_module(std::string(std::istreambuf_iterator<char>(file), {}), SOFTWARE_GPU_PROGRAMS_PTX);
  }
  void TearDown() override { EXPECT_EQ(report_count(), 0); }

  static std::vector<float> numbers(std::size_t count) {
    std::mt19937 generator(7);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(generator() % 20001) / 1000 - 10;
    return values;
  }
};

TEST_F(PtxPrograms, FunctionsOfTheLibrary) {
  constexpr unsigned kThreads = 100;
  const std::vector<float> x = numbers(kThreads);
  const std::vector<double> wide(x.begin(), x.end());
  const Array<float> in(x), out(kThreads * kFloatFunctions);
  const Array<double> in64(wide), out64(kThreads * kDoubleFunctions);
  run("float_functions", 1, kThreads, 0, {in.argument(), out.argument()});
  run("double_functions", 1, kThreads, 0, {in64.argument(), out64.argument()});
  for (unsigned i = 0; i < kThreads; ++i) {
    for (int f = 0; f < kFloatFunctions; ++f) {
      const float expected = float_function(f, x[i]);
      const float found = out.data()[static_cast<unsigned>(f) * kThreads + i];
      EXPECT_NEAR(found, expected, 1e-6 * std::max(1.0f, std::fabs(expected))) << "function " << f << " of " << x[i];
    }
    for (int f = 0; f < kDoubleFunctions; ++f) {
      const double expected = double_function(f, wide[i]);
      const double found = out64.data()[static_cast<unsigned>(f) * kThreads + i];
      EXPECT_NEAR(found, expected, 2e-15 * std::max(1.0, std::fabs(expected))) << "function " << f << " of " << x[i];
    }
  }
}

TEST_F(PtxPrograms, Integers) {
  std::mt19937_64 generator(3);
  std::vector<std::int64_t> a(256);
  std::vector<std::int32_t> b(256);
  std::vector<std::uint32_t> c(256);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<std::int64_t>(generator()) >> (i % 40);
    b[i] = static_cast<std::int32_t>(generator()) >> (i % 32);
    c[i] = static_cast<std::uint32_t>(generator());
  }
  const Array<std::int64_t> in_a(a), out(256);
  const Array<std::int32_t> in_b(b);
  const Array<std::uint32_t> in_c(c);
  run("integers", 1, 256, 0, {in_a.argument(), in_b.argument(), in_c.argument(), out.argument()});
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(out.data()[i], integer_mixture(a[i], b[i], c[i])) << a[i] << " " << b[i] << " " << c[i];
  }
}

TEST_F(PtxPrograms, Divergence) {
  const Array<int> steps(1000), switched_values(333);
  const Array<double> called(70);
  run("collatz_steps", 1, 1000, 0, {steps.argument()});
  run("switches", 1, 333, 0, {switched_values.argument()});
  run("calls", 1, 70, 0, {called.argument()});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(steps.data()[i], collatz(static_cast<std::uint32_t>(i) + 1)) << i;
  for (int i = 0; i < 333; ++i) EXPECT_EQ(switched_values.data()[i], switched(i % 9, i)) << i;
  for (int i = 0; i < 70; ++i) EXPECT_EQ(called.data()[i], through_calls(i)) << i;
}

TEST_F(PtxPrograms, BlockSums) {
  const std::vector<float> x(5000, 0.5f);
  const Array<float> in(x);
  for (const unsigned threads : {32u, 64u, 256u, 1024u}) {
    const Array<float> out(7);
    run("block_sum", 7, threads, 0, {in.argument(), out.argument(), argument(5000)});
    const std::vector<float> sums = out.values();
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0.0f), 2500) << threads;
  }
}

TEST_F(PtxPrograms, PointersInParameters) {
  const Array<float> in(numbers(64)), out(40 * 64);
  Tables tables{};
  for (int i = 0; i < 40; ++i) {
    tables.rows[i] = reinterpret_cast<const float*>(in.address());
    tables.counts[i] = i;
  }
  run("rows", 40, 32, 0, {argument(tables), out.argument()});
  for (std::size_t row = 0; row < 40; ++row) {
    for (std::size_t i = 0; i < row; ++i) EXPECT_EQ(out.data()[row * 64 + i], in.data()[i]);
    const auto* unwritten = reinterpret_cast<const std::uint32_t*>(out.data() + row * 64 + row);
    EXPECT_EQ(out.allocation().shadow[4 * (row * 64 + row)] & kInitialised, 0) << *unwritten;
  }
}

TEST_F(PtxPrograms, VariablesOfTheModule) {
  const Array<float> out(64);
  const Array<int> left(1);
  for (int launch = 1; launch <= 2; ++launch) {
    run("variables", 1, 64, 0, {out.argument(), left.argument()});
    EXPECT_EQ(left.data()[0], 10 + 64 * launch);
  }
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(out.data()[i], static_cast<float>(i % 4 + 1));
}

TEST_F(PtxPrograms, SharedMemoryAndGenericPointers) {
  std::vector<int> values(64);
  for (std::size_t i = 0; i < 64; ++i) values[i] = static_cast<int>(i * 37 % 64);
  const Array<int> sorted(values);
  run("bitonic_sort", 1, 64, 0, {sorted.argument()});
  for (int i = 0; i < 64; ++i) EXPECT_EQ(sorted.data()[i], i);

  const Array<float> in(std::vector<float>{1, 2, 3, 4}), out(48);
  run("generic_pointers", 1, 48, 0, {in.argument(), out.argument(), argument(4)});
  for (std::size_t i = 0; i < 48; ++i) EXPECT_EQ(out.data()[i], i % 3 == 0 ? 10 : i % 3 == 1 ? 30 : 20) << i;
}

TEST_F(PtxPrograms, LanesTellEachOther) {
  std::vector<int> x(64);
  for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<int>(i % 7);
  const Array<int> in(x);
  const Array<unsigned> out(64 * 8);
  run("votes", 1, 64, 0, {in.argument(), out.argument()});
  const auto count = static_cast<unsigned>(std::count_if(x.begin(), x.end(), [](int v) { return v > 3; }));
  for (std::size_t i = 0; i < 64; ++i) {
    const unsigned* o = out.data() + i * 8;
    const std::size_t first = i / 32 * 32;
    unsigned ballot = 0, match = 0, sum = 0;
    for (std::size_t j = 0; j < 32; ++j) {
      ballot |= static_cast<unsigned>(x[first + j] > 3) << j;
      match |= static_cast<unsigned>(x[first + j] == x[i]) << j;
      sum += static_cast<unsigned>(x[first + j]);
    }
    const std::size_t up = i % 8 < 3 ? i : i - 3, index = i / 16 * 16 + 5;
    EXPECT_EQ(o[0], ballot);
    EXPECT_EQ(o[1], 2u);
    EXPECT_EQ(o[2], match);
    EXPECT_EQ(o[3], 0u);
    EXPECT_EQ(o[4], sum + 6);
    EXPECT_EQ(o[5], count);
    EXPECT_EQ(o[6], 3u);
    EXPECT_EQ(o[7], static_cast<unsigned>(x[up] + x[index])) << i;
  }
}

}  // namespace
}  // namespace software_gpu::testing
