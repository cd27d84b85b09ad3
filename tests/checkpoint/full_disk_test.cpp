// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/checkpoint/posix_file.hpp"
#include "src/core/error.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;

constexpr int kNotPossibleHere = 40;

/// Runs `body` in a child process and returns its exit code, or 128 + signal.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// 75 for the error that was asked for, with nothing left in the folder but what was there; else something that says
/// why.
int outcome_of_write(const TemporaryFolder& folder, const std::string& path, int files) {
  try {
    write(path, sample(3, 30000));
    return 0;
  } catch (const Error& error) {
    const std::string text = error.what();
    if (error.exit_code() != ExitCode::retry || text.find("no room") == std::string::npos) return 50;
    if (text.find('\n') != std::string::npos) return 51;
  }
  return folder.files() == files ? 75 : 52;
}

TEST(FullDisk, ALimitOnFileSizesSaysTryAgainAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  write(folder / "a.h5", sample(1));
  const std::string before = file_bytes(folder / "a.h5");
  for (const rlim_t limit : {0, 100, 600, 3000, 100000, 1000000, 4000000}) {
    const int outcome = in_child([&] {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit both{limit, limit};
      setrlimit(RLIMIT_FSIZE, &both);
      return outcome_of_write(folder, folder / "a.h5", 1);
    });
    EXPECT_EQ(outcome, 75) << "limit " << limit;
    EXPECT_EQ(file_bytes(folder / "a.h5"), before);
  }
}

TEST(FullDisk, AFullFileSystemSaysTryAgain) {
  const TemporaryFolder folder;
  for (const char* size : {"size=4k", "size=64k", "size=1m", "size=4m"}) {
    const int outcome = in_child([&] {
      if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return kNotPossibleHere;
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, size) != 0) return kNotPossibleHere;
      return outcome_of_write(folder, folder / "a.h5", 0);
    });
    if (outcome == kNotPossibleHere) GTEST_SKIP() << "no right to mount a small tmpfs here";
    EXPECT_EQ(outcome, 75) << size;
  }
}

/// What a file system does that cannot reserve space: the slab that does not fit is refused.
TEST(FullDisk, AWriteThatTheDiskRefusesSaysTryAgain) {
  const TemporaryFolder folder;
  const int outcome = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit both{10000, 10000};
    setrlimit(RLIMIT_FSIZE, &both);
    PosixFile file(folder / "a", PosixFile::Mode::create);
    const std::string data(20000, 'x');
    try {
      file.write(data.data(), data.size(), 0);
    } catch (const Error& error) {
      return static_cast<int>(error.exit_code());
    }
    return 0;
  });
  EXPECT_EQ(outcome, 75);
}

}  // namespace
}  // namespace mpdist::checkpoint
