// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/folder.hpp"

#include <gtest/gtest.h>

#include "src/checkpoint/process.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "src/core/error.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;
namespace fs = std::filesystem;

class FolderTest : public ::testing::Test {
 protected:
  void save(std::int64_t step) { write(path_of(path_, step), sample(step, 3)); }
  void damage(std::int64_t step) {
    std::string bytes = file_bytes(path_of(path_, step));
    bytes[bytes.size() / 2] ^= 1;
    put_bytes(path_of(path_, step), bytes);
  }
  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> steps;
    for (const Found& found : list(path_)) steps.push_back(found.step);
    return steps;
  }

  TemporaryFolder folder_;
  const std::string& path_ = folder_.path();
};

using Steps = std::vector<std::int64_t>;

TEST_F(FolderTest, ListsByStepNotByNameAndLeavesOtherFilesOut) {
  EXPECT_EQ(path_of("c", 12), "c/step_00000012.h5");
  for (const std::int64_t step : {std::int64_t{9}, std::int64_t{99999999}, std::int64_t{100000000}, std::int64_t{12}})
    save(step);
  for (const char* name : {"step_7.h5", "step_00000008.h5.damaged", "step_0000000x.h5", "step_00000008.h5.tmp-1-2-h",
                           "best.json", "step_-0000008.h5"}) {
    put_bytes(folder_ / name, "x");
  }
  EXPECT_EQ(steps(), (Steps{100000000, 99999999, 12, 9}));
  EXPECT_EQ(latest(path_)->path, folder_ / "step_100000000.h5");
}

TEST_F(FolderTest, AnEmptyOrMissingFolderHoldsNone) {
  for (const std::string& folder : {path_, folder_ / "missing"}) {
    EXPECT_TRUE(list(folder).empty());
    EXPECT_FALSE(latest(folder).has_value());
    EXPECT_FALSE(load_newest(folder).has_value());
    EXPECT_FALSE(best(folder).has_value());
  }
}

TEST_F(FolderTest, ADamagedFileIsNamedAndTheOneBeforeItTaken) {
  for (const std::int64_t step : {10, 20, 30}) save(step);
  record_best(path_, {30, "accuracy", 0.9});
  damage(30);
  put_bytes(path_of(path_, 20), "cut");
  ::testing::internal::CaptureStderr();
  const auto loaded = load_newest(path_);
  const std::string lines = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->path, path_of(path_, 10));
  EXPECT_EQ(loaded->checkpoint.integers.at("run/step"), 10);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_NE(lines.find("step_00000030.h5"), std::string::npos) << lines;
  EXPECT_NE(lines.find("step_00000020.h5"), std::string::npos) << lines;
  EXPECT_EQ(steps(), Steps{10}) << "damaged files must not count as checkpoints any more";
  EXPECT_TRUE(fs::exists(path_of(path_, 30) + ".damaged"));
  save(30);
  EXPECT_FALSE(best(path_).has_value()) << "the value of a lost best must not pass to the file that takes its name";
}

TEST_F(FolderTest, WhenAllAreDamagedTheErrorSaysSoAndNothingIsTouched) {
  for (const std::int64_t step : {10, 20}) {
    save(step);
    damage(step);
  }
  ::testing::internal::CaptureStderr();
  EXPECT_THROW(load_newest(path_), FormatError);
  EXPECT_THROW(load_newest(path_), FormatError) << "a second start must not begin from nothing";
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(steps(), (Steps{20, 10}));
}

TEST_F(FolderTest, PruneKeepsTheNewestAndTheBest) {
  for (std::int64_t step = 1; step <= 6; ++step) save(step);
  record_best(path_, {2, "accuracy", 0.75});
  prune(path_, 2);
  EXPECT_EQ(steps(), (Steps{6, 5, 2}));
  record_best(path_, {5, "accuracy", 0.875});
  prune(path_, 1);
  EXPECT_EQ(steps(), (Steps{6, 5}));
  prune(path_, 0);
  EXPECT_EQ(steps(), (Steps{6, 5})) << "the newest always stays";
}

TEST_F(FolderTest, BestComesBackExactlyAndIsReadableJson) {
  save(4);
  record_best(path_, {4, "loss", 0.1});
  const auto found = best(path_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->step, 4);
  EXPECT_EQ(found->metric, "loss");
  EXPECT_EQ(found->value, 0.1);
  EXPECT_EQ(file_bytes(folder_ / "best.json"),
            "{\"file\":\"step_00000004.h5\",\"step\":4,\"metric\":\"loss\",\"value\":0.1}\n");
  for (const char* text : {"", "{", "[]", "{\"step\": \"x\"}"}) {
    put_bytes(folder_ / "best.json", text);
    EXPECT_THROW(best(path_), FormatError) << text;
  }
}

TEST_F(FolderTest, GoingOnFromAnEarlierStepSetsTheLaterOnesAside) {
  for (const std::int64_t step : {10, 20, 30}) save(step);
  record_best(path_, {20, "accuracy", 0.5});
  EXPECT_EQ(set_aside_after(path_, 20), 1);
  EXPECT_EQ(steps(), (Steps{20, 10}));
  EXPECT_TRUE(fs::exists(path_of(path_, 30) + ".lost"));
  EXPECT_TRUE(best(path_).has_value());
  EXPECT_EQ(set_aside_after(path_, 10), 1);
  EXPECT_FALSE(fs::exists(folder_ / "best.json"));
}

TEST_F(FolderTest, OnlyTemporariesOfDeadProcessesOfThisHostGo) {
  const ProcessIdentity self = ProcessIdentity::current();
  ProcessIdentity dead = self, reused = self, elsewhere = dead;
  dead.pid = 1 << 30;  // above the kernel's largest pid
  reused.start += 1;
  elsewhere = dead;
  elsewhere.host = "another-host.example";
  for (const ProcessIdentity& maker : {self, dead, reused, elsewhere}) {
    put_bytes(folder_ / ("step_00000001.h5.tmp-" + maker.to_string()), "x");
  }
  put_bytes(folder_ / "notes.tmp-today", "x");
  EXPECT_EQ(remove_dead_temporaries(path_), 2);
  EXPECT_EQ(folder_.files(), 3);
  EXPECT_TRUE(fs::exists(folder_ / ("step_00000001.h5.tmp-" + self.to_string())));
  EXPECT_TRUE(fs::exists(folder_ / ("step_00000001.h5.tmp-" + elsewhere.to_string())));
}

TEST(ProcessIdentity, ComesBackFromItsText) {
  const ProcessIdentity identity{"node-7.cluster", 42, 123456};
  EXPECT_EQ(ProcessIdentity::parse(identity.to_string()), identity);
  for (const char* text : {"", "42", "42-", "42-1", "42-1-", "x-1-h", "42-x-h", "-42-1-h"}) {
    EXPECT_FALSE(ProcessIdentity::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(ProcessIdentity::current().is_dead_here());
}

}  // namespace
}  // namespace mpdist::checkpoint
