// SPDX-License-Identifier: Apache-2.0
// Each planted defect must be reported with its kind, whatever the order of warps and blocks; its mended twin must not.
#include <fstream>
#include <iterator>

#include "tests/software_gpu/tests/child.hpp"
#include "tests/software_gpu/tests/ptx_machine.hpp"

namespace software_gpu::testing {
namespace {

struct Launch {
  std::string kernel;
  unsigned blocks = 1, threads = 64;
  std::size_t dynamic_shared = 0;
  std::vector<Argument> more;  ///< after the output
};

void load() {
  std::ifstream file(SOFTWARE_GPU_DEFECTS_PTX);
  load_module(std::string(std::istreambuf_iterator<char>(file), {}), SOFTWARE_GPU_DEFECTS_PTX);
}

/// Launches on 256 initialised floats.
void launch(const Launch& l) {
  load();
  const Array<float> out(std::vector<float>(256, 1.0f));
  std::vector<Argument> arguments = {out.argument()};
  arguments.insert(arguments.end(), l.more.begin(), l.more.end());
  run(l.kernel, l.blocks, l.threads, l.dynamic_shared, arguments);
}

void expect_defect(const std::string& kind, const Launch& l) {
  for (int seed = 1; seed <= 3; ++seed)
    expect_reported(kind + ": " + l.kernel, schedule("random", seed), [&] { launch(l); });
}
void expect_sound(const Launch& l) {
  for (int seed = 1; seed <= 3; ++seed) expect_clean(schedule("random", seed), [&] { launch(l); });
}

TEST(PtxDefects, SharedMemoryRaces) {
  expect_defect("shared-race", {"shared_race"});
  expect_sound({"shared_race_mended"});
  expect_defect("shared-race", {"second_barrier_left_out"});
  expect_sound({"second_barrier_mended"});
  expect_defect("shared-race", {"warp_race", 1, 32});
  expect_sound({"warp_race_mended", 1, 32});
}

TEST(PtxDefects, GlobalMemoryRaces) {
  expect_defect("block-race", {"block_race", 2});
  expect_sound({"block_race", 1});
  expect_defect("block-race", {"block_read_race", 3});
  expect_defect("thread-race", {"thread_race"});
  expect_sound({"thread_race_mended"});
  expect_defect("thread-race", {"one_address_written"});
  expect_sound({"one_value_written", 3});
  expect_sound({"neighbouring_halves", 3});
  expect_sound({"neighbouring_bytes", 3});
}

TEST(PtxDefects, LastBlockNeedsFence) {
  const auto with_counter = [](const std::string& kernel) {
    load();
    const Array<float> parts(8), out(1);
    const Array<unsigned> counter(std::vector<unsigned>(1, 0u));
    run(kernel, 8, 64, 0, {parts.argument(), counter.argument(), out.argument()});
    require(out.values()[0] == 28, "sum == 28");
  };
  expect_clean(schedule("random"), [&] { with_counter("last_block_sums"); });
  expect_reported("block-race: last_block_without_fence", schedule("random"),
                  [&] { with_counter("last_block_without_fence"); });
}

TEST(PtxDefects, Barriers) {
  expect_defect("divergent-barrier", {"divergent_barrier"});
  expect_defect("divergent-barrier", {"other_barrier"});
}

TEST(PtxDefects, LanesThatAreNotThere) {
  expect_defect("shuffle-mask", {"shuffle_of_half_a_warp"});
  expect_sound({"shuffle_mended"});
  expect_defect("shuffle-mask", {"shuffle_from_absent_lane"});
  expect_defect("shuffle-mask", {"vote_without_itself"});
}

TEST(PtxDefects, Bounds) {
  expect_defect("out-of-bounds", {"one_past", 1, 257, 0, {argument(256)}});
  expect_sound({"one_past", 1, 256, 0, {argument(255)}});
  expect_defect("out-of-bounds", {"dynamic_shared", 1, 64, 63 * sizeof(float)});
  expect_sound({"dynamic_shared", 1, 64, 64 * sizeof(float)});
  expect_defect("out-of-bounds", {"local_out_of_bounds", 1, 64, 0, {argument(1000)}});
  expect_sound({"local_out_of_bounds", 1, 64, 0, {argument(3)}});
}

TEST(PtxDefects, Addresses) {
  const auto copy_from = [](const std::function<std::uint64_t()>& source) {
    return [source] {
      load();
      const Array<float> out(64);
      run("copy", 1, 64, 0, {argument(source()), out.argument()});
    };
  };
  static float host[64];
  expect_reported("illegal-address: copy", schedule("random"),
                  copy_from([] { return reinterpret_cast<std::uint64_t>(host); }));
  expect_reported("illegal-address: copy", schedule("random"), copy_from([] { return std::uint64_t{0}; }));
  expect_reported("uninitialised-read: copy", schedule("random"), [] {
    load();
    const Array<float> in(64), out(64);
    run("copy", 1, 64, 0, {in.argument(), out.argument()});
  });
  expect_reported("use-after-free", schedule("random"), [] {
    load();
    const Array<float> in(std::vector<float>(64, 1.0f)), out(64);
    release(in.allocation());
    run("copy", 1, 64, 0, {in.argument(), out.argument()});
  });
  expect_reported("misaligned", schedule("random"), [] {
    load();
    const Array<float> in(std::vector<float>(64, 1.0f)), out(64);
    run("misaligned", 1, 64, 0, {in.argument(), out.argument()});
  });
}

/// A __restrict__ input that the launch writes through another pointer.
TEST(PtxDefects, ReadOnlyLoads) {
  const auto in_place = [](bool same) {
    load();
    const Array<float> in(std::vector<float>(128, 1.0f)), out(128);
    run("in_place", 1, 64, 0, {in.argument(), same ? in.argument() : out.argument()});
  };
  expect_reported("read-only-load: in_place", schedule("random"), [&] { in_place(true); });
  expect_clean(schedule("random"), [&] { in_place(false); });
}

TEST(PtxDefects, Others) {
  expect_defect("uninitialised-read", {"uninitialised_shared"});
  expect_defect("float-atomic", {"float_atomic"});
  expect_sound({"integer_atomic", 3});
  expect_sound({"trapped"});
  expect_reported("endless-loop: endless", schedule("random"), [] { launch({"endless", 1, 1}); });
  expect_reported("trap", schedule("random"), [] {
    load();
    const Array<float> out(std::vector<float>(64, 2.0f));
    run("trapped", 1, 64, 0, {out.argument()});
  });
}

}  // namespace
}  // namespace software_gpu::testing
