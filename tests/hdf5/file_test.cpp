// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/file.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::hdf5 {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "mpdist_hdf5_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/file.h5";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

template <class T>
void expect_round_trip(Group& root, const std::string& name) {
  const std::vector<T> values = {T(1), T(2), T(3), T(4), T(5), T(250)};
  root.create_dataset(name, {2, 3}, dtype_of<T>).write(values.data());
  const Dataset dataset = root.open_dataset(name);
  std::vector<T> found(6);
  dataset.read(found.data());
  EXPECT_EQ(found, values);
  EXPECT_EQ(dataset.dtype(), dtype_of<T>);
  EXPECT_EQ(dataset.shape(), (Shape{2, 3}));
}

TEST_F(FileTest, DatasetsOfEveryTypeComeBack) {
  File file = File::create(path_);
  Group root = file.root();
  expect_round_trip<float>(root, "fp32");
  expect_round_trip<double>(root, "fp64");
  expect_round_trip<std::int32_t>(root, "int32");
  expect_round_trip<std::int64_t>(root, "int64");
  expect_round_trip<std::uint8_t>(root, "uint8");
  EXPECT_THROW(root.create_dataset("half", {1}, DType::fp16), Unsupported);
}

TEST_F(FileTest, ChunksAreWrittenByRows) {
  File file = File::create(path_);
  Group root = file.root();
  std::vector<std::int32_t> values(30);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i);
  for (const ChunkLayout& layout : {ChunkLayout{}, ChunkLayout{.rows = 4}, ChunkLayout{.rows = 4, .deflate = 9}}) {
    const std::string name = fmt::format("{} {}", layout.rows, layout.deflate);
    Dataset dataset = root.create_dataset(name, {10, 3}, DType::int32, layout);
    dataset.write_rows(6, 4, values.data() + 18);
    dataset.write_rows(0, 6, values.data());
    std::vector<std::int32_t> found(30);
    dataset.read(found.data());
    EXPECT_EQ(found, values) << name;
  }
}

TEST_F(FileTest, AttributesComeBack) {
  {
    File file = File::create(path_);
    Group group = file.root().create_group("run");
    group.create_attribute("step", std::int64_t{-5});
    group.create_attribute("lr", 0.1);
    group.create_attribute("config", std::string("größe = 1"));
    group.create_attribute("empty", std::string());
    EXPECT_THROW(group.create_attribute("nul", std::string("a\0b", 3)), InvalidArgument);
  }
  const Group group = File::open(path_).root().open_group("run");
  EXPECT_EQ(group.attribute_names(), (std::vector<std::string>{"config", "empty", "lr", "step"}));
  EXPECT_EQ(group.attribute("step"), Scalar(std::int64_t{-5}));
  EXPECT_EQ(group.attribute("lr"), Scalar(0.1));
  EXPECT_EQ(group.attribute("config"), Scalar(std::string("größe = 1")));
  EXPECT_EQ(group.attribute("empty"), Scalar(std::string()));
}

TEST_F(FileTest, MembersAreSortedAndTellGroupsFromDatasets) {
  File file = File::create(path_);
  Group root = file.root();
  root.create_group("b");
  root.create_dataset("a.weight", {}, DType::fp32);
  const auto members = root.members();
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].name, "a.weight");
  EXPECT_FALSE(members[0].is_group);
  EXPECT_EQ(members[1].name, "b");
  EXPECT_TRUE(members[1].is_group);
  EXPECT_TRUE(root.has("b"));
  EXPECT_FALSE(root.has("c"));
}

TEST_F(FileTest, OffsetCountsFromTheStartOfTheFile) {
  const std::vector<std::uint8_t> values = {11, 22, 33};
  std::uint64_t offset = 0;
  {
    File file = File::create(path_, 512);
    Dataset dataset = file.root().create_dataset("bytes", {3}, DType::uint8);
    offset = dataset.offset();
    dataset.write(values.data());
  }
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  EXPECT_GE(offset, 512u);
  for (int value : values) EXPECT_EQ(file.get(), value);
}

TEST_F(FileTest, ErrorsNameTheInnermostReasonInOneLine) {
  try {
    File::open(folder_ + "/none.h5");
    FAIL() << "opened a file that does not exist";
  } catch (const LibraryError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("H5Fopen"), std::string::npos) << text;
    EXPECT_NE(text.find("No such file or directory"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
  EXPECT_THROW(File::create(folder_ + "/no/file.h5"), LibraryError);
}

/// HDF5 keeps the setting per thread, so a second thread must be silent too.
TEST_F(FileTest, Hdf5PrintsNothingOnAnyThread) {
  ::testing::internal::CaptureStderr();
  const auto fail = [&] { EXPECT_THROW(File::open(folder_ + "/none.h5"), LibraryError); };
  fail();
  std::thread(fail).join();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mpdist::hdf5
