// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "comm/factory.hpp"
#include "comm/mpi/environment.hpp"
#include "comm/mpi/mpi_communicator.hpp"
#include "src/core/cuda.hpp"
#include "src/core/log.hpp"
#include "tests/comm/backends.hpp"

namespace {

constexpr unsigned kTestLimitS = 60;
char current_test[256];

/// A collective that a rank never enters would wait for ever: the test is named and the job ends.
void report_hang(int) {
  const char text[] = "HANG in test ";
  static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
  static_cast<void>(!write(STDERR_FILENO, current_test, std::strlen(current_test)));
  static_cast<void>(!write(STDERR_FILENO, "\n", 1));
  _exit(124);
}

class Watchdog : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo& info) override {
    const std::string name = std::string(info.test_suite_name()) + "." + info.name();
    std::strncpy(current_test, name.c_str(), sizeof current_test - 1);
    alarm(kTestLimitS);
  }
  void OnTestEnd(const ::testing::TestInfo&) override { alarm(0); }
};

/// Ranks other than 0 only speak of what failed.
class FailuresOnly : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "%s:%d: %s: %s\n", result.file_name() ? result.file_name() : "", result.line_number(),
                 current_test, result.message());
  }
};

}  // namespace

int main(int argc, char** argv) {
  mpdist::comm::Environment environment(argc, argv);
  std::signal(SIGALRM, report_hang);
  const auto all = mpdist::comm::make_mpi();
  mpdist::log::set_speaker(all->rank() == 0);
  if (mpdist::test::on_gpus()) mpdist::cuda::use(mpdist::comm::local_rank(*all));
  ::testing::InitGoogleTest(&argc, argv);
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (all->rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly);
  }
  listeners.Append(new Watchdog);
  std::int64_t failed = RUN_ALL_TESTS();
  all->merge_lanes(std::span(&failed, 1), 0);
  if (mpdist::test::on_gpus()) {  // what is held at exit counts as lost
    mpdist::Pool::cuda().trim();
    mpdist::Pool::pinned().trim();
  }
  return failed == 0 ? 0 : 1;
}
