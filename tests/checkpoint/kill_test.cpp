// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "src/checkpoint/folder.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;

[[noreturn]] void save_for_ever(const std::string& folder, std::int64_t step) {
  for (;; ++step) write(path_of(folder, step), sample(step, 20000));
}

/// A job that does nothing but save is killed, so nearly every kill falls inside a save.
TEST(Kill, LeavesOnlyWholeCheckpointsAndTheNextStartRemovesTheRest) {
  const TemporaryFolder folder;
  write(path_of(folder.path(), 1), sample(1, 20000));
  std::mt19937 random(7);
  int inside_a_save = 0;
  for (int round = 0; round < 25; ++round) {
    const std::int64_t before = latest(folder.path())->step;
    const pid_t child = fork();
    if (child == 0) save_for_ever(folder.path(), before + 1);
    usleep(2000 + random() % 60000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);

    inside_a_save += remove_dead_temporaries(folder.path());
    const std::vector<Found> found = list(folder.path());
    ASSERT_EQ(static_cast<int>(found.size()), folder.files()) << "something else was left";
    ASSERT_GE(found.front().step, before);
    const Checkpoint newest = read(found.front().path), expected = sample(found.front().step, 20000);
    EXPECT_EQ(newest.integers, expected.integers);
    EXPECT_TRUE(same_bits(newest.tensors.front().values, expected.tensors.front().values));
    prune(folder.path(), 2);
  }
  EXPECT_GE(inside_a_save, 5) << "the kills missed the saves; the test shows nothing";
}

}  // namespace
}  // namespace mpdist::checkpoint
