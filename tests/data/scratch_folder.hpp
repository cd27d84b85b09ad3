// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "src/core/error.hpp"

namespace mpdist::data {

/// A folder of this test's own, with the questions that tests of formats ask.
class ScratchFolder : public testing::Test {
 protected:
  ScratchFolder()
      : folder_(std::filesystem::temp_directory_path() /
                fmt::format("mpdist_{}_{}", testing::UnitTest::GetInstance()->current_test_info()->name(), getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ScratchFolder() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = {}) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  /// What `open` says when it fails with `code`; the empty string when it succeeds.
  static std::string complaint(ExitCode code, const std::function<void()>& open) {
    try {
      open();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), code) << error.what();
      return error.what();
    }
  }

  std::filesystem::path folder_;
};

}  // namespace mpdist::data
