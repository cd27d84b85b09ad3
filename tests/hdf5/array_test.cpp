// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/array.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "src/core/error.hpp"
#include "tests/support/hdf5_arrays.hpp"

namespace mpdist::hdf5 {
namespace {

class ArrayTest : public ::testing::Test {
 protected:
  ArrayTest() : path_((std::filesystem::temp_directory_path() / fmt::format("mpdist_array_{}.h5", getpid())).string()) {
    std::filesystem::remove(path_);
    std::iota(values_.begin(), values_.end(), 0);
  }
  ~ArrayTest() override { std::filesystem::remove(path_); }

  /// 10 rows of 2 x 3 values 0, 1, 2, ... as 16-bit integers.
  void put(const test::ArrayLayout& layout, const std::string& name) const {
    test::put_array(path_, name, {10, 2, 3}, H5T_STD_I16LE, H5T_NATIVE_INT, values_.data(), layout);
  }
  Array array(const test::ArrayLayout& layout, const std::string& name) const {
    put(layout, name);
    return Array::open(path_, name);
  }

  std::string path_;
  std::vector<int> values_ = std::vector<int>(60);
};

std::vector<std::int16_t> rows(const Array& array, std::int64_t first, std::int64_t count) {
  std::vector<std::int16_t> found(static_cast<std::size_t>(count) * 6);
  array.read(first, count, std::as_writable_bytes(std::span(found)));
  return found;
}

TEST_F(ArrayTest, TellsShapeTypeAndWhereRowsLie) {
  put({}, "whole");
  put({.chunk = {4, 2, 3}}, "chunked");
  const Array whole = Array::open(path_, "whole"), chunked = Array::open(path_, "chunked");
  EXPECT_EQ(whole.shape(), (Shape{10, 2, 3}));
  EXPECT_EQ(whole.type().name(), "int16");
  EXPECT_EQ(whole.block_rows(), 1);
  EXPECT_EQ(chunked.block_rows(), 4);
  EXPECT_EQ(chunked.row_bytes(), 12u);
  std::ifstream file(path_, std::ios::binary);
  for (std::int64_t row = 0; row < 10; ++row) {
    std::vector<std::int16_t> found(6);
    const auto at = [&](const StoredBlock* block, std::int64_t in_block) {
      file.seekg(static_cast<std::streamoff>(block->offset) + in_block * 12);
      file.read(reinterpret_cast<char*>(found.data()), 12);
      return found;
    };
    EXPECT_EQ(at(whole.stored(row), 0), rows(whole, row, 1));
    EXPECT_EQ(at(chunked.stored(row / 4), row % 4), rows(chunked, row, 1));
    EXPECT_EQ(rows(chunked, row, 1)[1], row * 6 + 1);
  }
  EXPECT_EQ(chunked.stored(2)->bytes, 48u) << "the last chunk at its full length";
}

TEST_F(ArrayTest, LeavesToHdf5WhatDoesNotLieInOnePiece) {
  const std::vector<test::ArrayLayout> layouts = {
      {.chunk = {4, 1, 3}}, {.chunk = {4, 2, 3}, .checksum = true}, {.compact = true}};
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const Array found = array(layouts[i], fmt::format("a{}", i));
    EXPECT_EQ(found.stored(0), nullptr) << i;
    EXPECT_EQ(found.block_rows(), i == 2 ? 1 : 4);
    EXPECT_EQ(rows(found, 3, 4)[0], 18);
    EXPECT_EQ(rows(found, 3, 4)[23], 41);
  }
  const Array packed = array({.chunk = {4, 2, 3}, .shuffle = true, .deflate = 4}, "packed");
  ASSERT_NE(packed.stored(0), nullptr);
  EXPECT_TRUE(packed.stored(0)->shuffled && packed.stored(0)->deflated);
}

TEST_F(ArrayTest, LeavesChunksBehindAUserBlockToHdf5) {
  put({.chunk = {4, 2, 3}, .user_block = 512}, "chunked");
  put({}, "whole");
  const Array chunked = Array::open(path_, "chunked"), whole = Array::open(path_, "whole");
  EXPECT_EQ(chunked.stored(0), nullptr);
  EXPECT_EQ(chunked.block_rows(), 4);
  ASSERT_NE(whole.stored(9), nullptr);
  std::vector<std::int16_t> found(6);
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(whole.stored(9)->offset)).read(reinterpret_cast<char*>(found.data()), 12);
  EXPECT_EQ(found, rows(whole, 9, 1));
  EXPECT_EQ(found, rows(chunked, 9, 1));
}

TEST_F(ArrayTest, LeavesVeryManyChunksToHdf5) {
  const std::vector<int> many(2001, 7);
  test::put_array(path_, "more", {2001}, H5T_STD_U8LE, H5T_NATIVE_INT, many.data(), {.chunk = {1}});
  test::put_array(path_, "most", {2000}, H5T_STD_U8LE, H5T_NATIVE_INT, many.data(), {.chunk = {1}});
  EXPECT_EQ(Array::open(path_, "more").stored(0), nullptr);
  EXPECT_NE(Array::open(path_, "most").stored(1999), nullptr);
}

TEST_F(ArrayTest, IsReadAlikeByManyThreads) {
  put({.chunk = {4, 1, 3}}, "x");
  const Array shared = Array::open(path_, "x");
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 50; ++repeat) {
        EXPECT_EQ(rows(shared, 3, 4)[23], 41);
        EXPECT_THROW(Array::open(path_, "y"), UsageError);
      }
    });
  }
}

TEST_F(ArrayTest, NamesTypes) {
  const std::vector<std::pair<hid_t, std::string>> types = {
      {H5T_STD_U8LE, "uint8"},     {H5T_STD_U32BE, "uint32 (big endian)"},   {H5T_STD_I64LE, "int64"},
      {H5T_IEEE_F32LE, "float32"}, {H5T_IEEE_F64BE, "float64 (big endian)"}, {test::binary16(), "float16"}};
  for (const auto& [type, name] : types) {
    test::put_array(path_, name, {60}, type, H5T_NATIVE_INT, values_.data());
    EXPECT_EQ(Array::open(path_, name).type().name(), name);
  }
  const hid_t odd = H5Tcopy(H5T_STD_I32LE);
  H5Tset_precision(odd, 20);
  test::put_array(path_, "odd", {60}, odd, H5T_NATIVE_INT, values_.data());
  EXPECT_THROW(Array::open(path_, "odd"), FormatError);
}

TEST_F(ArrayTest, SaysWhatIsThereInstead) {
  put({}, "train/x");
  try {
    Array::open(path_, "train/images");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(std::string(error.what()),
              path_ + ": expected a dataset \"train/images\", found train/x; name it in [data]");
  }
  EXPECT_THROW(Array::open(path_, "train"), UsageError) << "a group is no dataset";
  EXPECT_THROW(Array::open(path_ + ".none", "train/x"), UsageError);
  EXPECT_EQ(Array::open(path_, "/train/x").shape()[0], 10);
}

std::string complaint(const std::string& path) {
  try {
    Array::open(path, "none");
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST_F(ArrayTest, NamesTwentyDatasetsAtMost) {
  for (int i = 0; i < 20; ++i) put({}, fmt::format("g/a{}", i));
  EXPECT_TRUE(complaint(path_).ends_with(", g/a9; name it in [data]")) << complaint(path_);
  put({}, "g/b");
  EXPECT_TRUE(complaint(path_).ends_with(", g/a9, and more; name it in [data]")) << complaint(path_);
}

TEST_F(ArrayTest, EndsWhereGroupsLinkInCircles) {
  put({}, "a/x");
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "a/x", H5P_DEFAULT);
  for (const char* link : {"a/b", "a/c"}) H5Lcreate_hard(file, "a", file, link, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  EXPECT_EQ(complaint(path_), path_ + ": expected a dataset \"none\", found none at all; name it in [data]");
}

TEST_F(ArrayTest, NamesAFileThatIsCutShort) {
  put({}, "x");
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 10);
  EXPECT_THROW(Array::open(path_, "x"), FormatError);
}

}  // namespace
}  // namespace mpdist::hdf5
