// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/checkpoint.hpp"

#include <gtest/gtest.h>

#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using testing::any_bits;
using testing::file_bytes;
using testing::same_bits;
using testing::sample;
using testing::TemporaryFolder;

void expect_same(const Checkpoint& found, const Checkpoint& expected) {
  ASSERT_EQ(found.tensors.size(), expected.tensors.size());
  for (std::size_t i = 0; i < found.tensors.size(); ++i) {
    EXPECT_EQ(found.tensors[i].path, expected.tensors[i].path);
    EXPECT_TRUE(same_bits(found.tensors[i].values, expected.tensors[i].values)) << found.tensors[i].path;
  }
  EXPECT_EQ(found.integers, expected.integers);
  EXPECT_EQ(found.texts, expected.texts);
  ASSERT_EQ(found.reals.size(), expected.reals.size());
  for (const auto& [path, value] : expected.reals) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(found.reals.at(path)), std::bit_cast<std::uint64_t>(value)) << path;
  }
}

TEST(Checkpoint, ComesBackBitForBit) {
  const TemporaryFolder folder;
  write(folder / "a.h5", sample());
  expect_same(read(folder / "a.h5"), sample());
  EXPECT_EQ(folder.files(), 1);
}

TEST(Checkpoint, KeepsScalarsEmptyTensorsAndTensorsOfManySlabs) {
  const TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.tensors = {{"ema/empty", any_bits({0, 4}, 1)},
                        {"ema/scalar", any_bits({}, 2)},
                        {"master/wide", any_bits({1, (5 << 20) + 3}, 3)}};
  write(folder / "a.h5", checkpoint);
  expect_same(read(folder / "a.h5"), checkpoint);
}

TEST(Checkpoint, KeepsTextsAbove64KiB) {
  const TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.texts["run/config"] = std::string(300000, 'x');
  write(folder / "a.h5", checkpoint);
  expect_same(read(folder / "a.h5"), checkpoint);
}

TEST(Checkpoint, ReplacesAnOlderFileOfTheSameName) {
  const TemporaryFolder folder;
  write(folder / "a.h5", sample(1));
  write(folder / "a.h5", sample(2));
  expect_same(read(folder / "a.h5"), sample(2));
}

TEST(Checkpoint, EqualContentsGiveEqualFiles) {
  const TemporaryFolder folder;
  write(folder / "a.h5", sample());
  write(folder / "b.h5", sample());
  EXPECT_EQ(file_bytes(folder / "a.h5"), file_bytes(folder / "b.h5"));
}

TEST(Checkpoint, BeginsWithALineThatAPersonCanRead) {
  const TemporaryFolder folder;
  write(folder / "a.h5", sample());
  const std::string bytes = file_bytes(folder / "a.h5");
  EXPECT_EQ(bytes.substr(0, 27), "mpdist checkpoint 1\nlength ");
  EXPECT_EQ(bytes.substr(512, 4), "\x89HDF");
}

TEST(Checkpoint, RefusesPathsOutsideAGroup) {
  const TemporaryFolder folder;
  for (const char* path : {"lonely", "master/", "/master/x", "master//x", "./x"}) {
    Checkpoint checkpoint;
    checkpoint.tensors = {{path, any_bits({3}, 1)}};
    EXPECT_THROW(write(folder / "a.h5", checkpoint), InvalidArgument) << path;
  }
  EXPECT_EQ(folder.files(), 0);
}

TEST(Checkpoint, NamesAFileThatIsMissingOrCannotBeMade) {
  const TemporaryFolder folder;
  EXPECT_THROW(read(folder / "none.h5"), LibraryError);
  try {
    write(folder / "no/such/folder/a.h5", sample());
    FAIL() << "written into a folder that does not exist";
  } catch (const LibraryError& error) {
    EXPECT_NE(std::string(error.what()).find("no/such/folder"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace mpdist::checkpoint
