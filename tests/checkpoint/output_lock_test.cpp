// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/output_lock.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>

#include "src/checkpoint/process.hpp"
#include "src/core/error.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace std::chrono_literals;
using namespace testing;

pid_t start_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A child that takes the lock, says so through a pipe and sleeps until it is killed.
pid_t start_holder(const TemporaryFolder& folder) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = start_child([&] {
    const OutputLock lock(folder.path(), 0ms);
    if (::write(ends[1], "x", 1) == 1) pause();
    return 0;
  });
  char byte;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
  return child;
}

std::string refusal(const TemporaryFolder& folder, std::chrono::milliseconds wait) {
  try {
    const OutputLock lock(folder.path(), wait);
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST(OutputLock, HoldsTheNameOfItsProcessAndIsRemoved) {
  const TemporaryFolder folder;
  {
    const OutputLock lock(folder.path(), 0ms);
    EXPECT_EQ(file_bytes(folder / "lock"), ProcessIdentity::current().to_string() + "\n");
    EXPECT_EQ(folder.files(), 1);
  }
  EXPECT_EQ(folder.files(), 0);
}

TEST(OutputLock, ALiveHolderIsWaitedForThenNamed) {
  const TemporaryFolder folder;
  const pid_t holder = start_holder(folder);
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = refusal(folder, 200ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 200ms);
  EXPECT_NE(text.find(std::to_string(holder)), std::string::npos) << text;
  EXPECT_NE(text.find(ProcessIdentity::current().host), std::string::npos) << text;
  EXPECT_EQ(folder.files(), 1) << "a refused starter leaves nothing";
  kill(holder, SIGKILL);
  wait_for(holder);
}

TEST(OutputLock, AHolderThatEndsInTimeMakesRoom) {
  const TemporaryFolder folder;
  std::optional<OutputLock> lock;
  lock.emplace(folder.path(), 0ms);
  const pid_t waiter = start_child([&] { return refusal(folder, 10s).empty() ? 0 : 1; });
  usleep(100000);
  lock.reset();
  EXPECT_EQ(wait_for(waiter), 0);
}

TEST(OutputLock, AKilledHolderIsTakenOverEvenBeforeItIsReaped) {
  const TemporaryFolder folder;
  const pid_t holder = start_holder(folder);
  kill(holder, SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(holder), &info, WEXITED | WNOWAIT);  // a zombie now
  EXPECT_EQ(refusal(folder, 0ms), "");
  EXPECT_EQ(folder.files(), 0);
  wait_for(holder);
}

TEST(OutputLock, AnotherHostsHolderIsRefusedWithTheWayOut) {
  const TemporaryFolder folder;
  for (const char* text : {"1234-5678-node17\n", "", "torn"}) {
    put_bytes(folder / "lock", text);
    const std::string message = refusal(folder, 50ms);
    EXPECT_NE(message.find("remove"), std::string::npos) << message;
    EXPECT_NE(message.find(folder / "lock"), std::string::npos) << message;
    EXPECT_EQ(file_bytes(folder / "lock"), text) << "not ours to take";
  }
  put_bytes(folder / "lock", "1234-5678-node17\n");
  EXPECT_NE(refusal(folder, 0ms).find("node17"), std::string::npos);
}

/// Many starters see the same dead holder at the same moment: exactly one gets the lock, and keeps it until all have
/// tried.
TEST(OutputLock, OfStartersThatRaceForADeadHoldersLockOneGetsIt) {
  constexpr int kRounds = 200, kStarters = 4;
  struct Shared {
    std::atomic<int> ready{0}, tried{0};
  };
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  for (int round = 0; round < kRounds; ++round) {
    const TemporaryFolder folder;
    put_bytes(folder / "lock", fmt::format("{}-1-{}\n", 1 << 30, ProcessIdentity::current().host));
    auto* shared = new (memory) Shared;
    std::vector<pid_t> starters;
    for (int i = 0; i < kStarters; ++i) {
      starters.push_back(start_child([&] {
        for (++shared->ready; shared->ready < kStarters;) sched_yield();
        std::optional<OutputLock> lock;
        try {
          lock.emplace(folder.path(), 0ms);
        } catch (const UsageError&) {  // refused
        }
        for (++shared->tried; shared->tried < kStarters;) sched_yield();
        return lock ? 1 : 0;
      }));
    }
    int holders = 0;
    for (const pid_t starter : starters) holders += wait_for(starter);
    EXPECT_EQ(holders, 1) << "round " << round;
    EXPECT_EQ(folder.files(), 0);
  }
  munmap(memory, sizeof(Shared));
}

}  // namespace
}  // namespace mpdist::checkpoint
