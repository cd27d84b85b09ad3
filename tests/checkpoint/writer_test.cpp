// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/writer.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include "src/checkpoint/folder.hpp"
#include "src/core/error.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;

/// Twelve thousand rows: some milliseconds of writing, so that the caller really runs beside it.
constexpr std::int64_t kRows = 12000;

void overwrite(const Checkpoint& live, int byte) {
  for (const NamedTensor& tensor : live.tensors) std::memset(tensor.values.raw(), byte, tensor.values.bytes());
}

TEST(Writer, TheFileHoldsWhatTheTensorsWereBeforeTheUpdate) {
  const TemporaryFolder folder;
  Writer writer;
  for (std::int64_t step = 1; step <= 5; ++step) {
    const Checkpoint live = sample(step, kRows);
    writer.begin(live, path_of(folder.path(), step));
    writer.wait_copied();
    overwrite(live, 0x55);  // the update
    writer.wait_written();
    EXPECT_FALSE(writer.busy());
    EXPECT_EQ(writer.take_error(), std::nullopt);
    const Checkpoint found = read(path_of(folder.path(), step)), expected = sample(step, kRows);
    ASSERT_EQ(found.tensors.size(), expected.tensors.size());
    for (std::size_t i = 0; i < found.tensors.size(); ++i) {
      EXPECT_TRUE(same_bits(found.tensors[i].values, expected.tensors[i].values))
          << step << " " << found.tensors[i].path;
    }
    EXPECT_EQ(found.integers, expected.integers);
  }
}

TEST(Writer, BeginWaitsForTheSaveBeforeAndNoneIsLost) {
  const TemporaryFolder folder;
  Writer writer;
  for (std::int64_t step = 1; step <= 6; ++step) {
    writer.begin(sample(step, kRows), path_of(folder.path(), step));
    writer.wait_copied();
  }
  writer.wait_written();
  ASSERT_EQ(list(folder.path()).size(), 6u);
  for (const Found& found : list(folder.path())) EXPECT_EQ(read(found.path).integers.at("run/step"), found.step);
}

TEST(Writer, SnapshotBuffersAreKeptForTheNextSave) {
  const TemporaryFolder folder;
  const Checkpoint live = sample(1, kRows);
  Writer writer;
  const auto save = [&] {
    writer.begin(live, folder / "a.h5");
    writer.wait_written();
  };
  save();
  const MemoryUse before = Pool::host().use();
  Pool::host().reset_peaks();
  for (int i = 0; i < 3; ++i) save();
  const MemoryUse after = Pool::host().use();
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  constexpr auto kKind = static_cast<std::size_t>(MemoryKind::checkpoint);
  EXPECT_EQ(after.peak[kKind], before.now[kKind]);
}

TEST(Writer, BuffersFollowTensorsOfOtherShapesAndNames) {
  const TemporaryFolder folder;
  Writer writer;
  for (const std::int64_t rows : {5, 9, 2}) {
    Checkpoint live = sample(rows, rows);
    if (rows == 2) live.tensors.pop_back();
    writer.begin(live, folder / "a.h5");
    writer.wait_written();
    const Checkpoint found = read(folder / "a.h5");
    ASSERT_EQ(found.tensors.size(), live.tensors.size());
    EXPECT_TRUE(same_bits(found.tensors[0].values, live.tensors[0].values)) << rows;
  }
}

TEST(Writer, AFailedSaveIsReportedOnceAndTheNextOneWorks) {
  const TemporaryFolder folder;
  Writer writer;
  writer.begin(sample(), folder / "missing/a.h5");
  writer.wait_copied();
  writer.wait_written();
  const auto error = writer.take_error();
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->find("missing"), std::string::npos) << *error;
  EXPECT_FALSE(writer.take_error().has_value());
  EXPECT_FALSE(writer.take_written().has_value());
  writer.begin(sample(), folder / "a.h5");
  writer.wait_written();
  EXPECT_FALSE(writer.take_error().has_value());
  const auto written = writer.take_written();
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->path, folder / "a.h5");
  EXPECT_EQ(written->bytes, 4 * (2 * 33 * 18 + 10 + 10 + 5));
  EXPECT_FALSE(writer.take_written().has_value());
}

TEST(Writer, AnErrorThatNobodyTookIsLogged) {
  const TemporaryFolder folder;
  Writer writer;
  writer.begin(sample(), folder / "missing/a.h5");
  writer.wait_written();
  ::testing::internal::CaptureStderr();
  writer.begin(sample(), folder / "a.h5");
  writer.wait_written();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("missing"), std::string::npos);
}

TEST(Writer, PrunesAfterEachSave) {
  const TemporaryFolder folder;
  Writer writer(2);
  for (std::int64_t step = 1; step <= 4; ++step) writer.begin(sample(step, 2), path_of(folder.path(), step));
  writer.wait_written();
  EXPECT_EQ(list(folder.path()).size(), 2u);
  EXPECT_EQ(latest(folder.path())->step, 4);
}

TEST(Writer, TheDestructorFinishesTheSave) {
  const TemporaryFolder folder;
  Writer().begin(sample(8, kRows), folder / "a.h5");
  EXPECT_EQ(read(folder / "a.h5").integers.at("run/step"), 8);
}

/// New threads ask for a stack larger than the address space, so none starts.
class NoRoomForThreads {
 public:
  NoRoomForThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge = before_;
    pthread_attr_setstacksize(&huge, std::size_t{1} << 48);
    pthread_setattr_default_np(&huge);
  }
  ~NoRoomForThreads() { pthread_setattr_default_np(&before_); }

 private:
  pthread_attr_t before_;
};

TEST(Writer, WithoutAThreadOneSaveFailsAndTheNextWorks) {
  const TemporaryFolder folder;
  Writer writer;
  {
    const NoRoomForThreads full;
    writer.begin(sample(), folder / "a.h5");
  }
  writer.wait_copied();
  EXPECT_FALSE(writer.busy());
  const auto error = writer.take_error();
  ASSERT_TRUE(error);
  EXPECT_NE(error->find("no thread for this save"), std::string::npos) << *error;
  writer.begin(sample(), folder / "a.h5");
  writer.wait_written();
  EXPECT_EQ(writer.take_error(), std::nullopt);
}

TEST(Writer, LeavesTheSignalMaskOfTheCallerAlone) {
  const TemporaryFolder folder;
  Writer().begin(sample(), folder / "a.h5");
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGUSR1), 0);
}

}  // namespace
}  // namespace mpdist::checkpoint
