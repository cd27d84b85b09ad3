// SPDX-License-Identifier: Apache-2.0
// Every damage must end in FormatError: HDF5 never sees a damaged file, on which it may crash or hang.
#include <gtest/gtest.h>

#include <random>

#include "src/checkpoint/crc32c.hpp"
#include "src/checkpoint/layout.hpp"
#include "src/core/error.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;

class Damage : public ::testing::Test {
 protected:
  Damage() {
    write(path_, sample());
    whole_ = file_bytes(path_);
  }

  void expect_refused(const std::string& bytes, const std::string& what) {
    put_bytes(path_, bytes);
    try {
      read(path_);
      FAIL() << what << ": read as if it were whole";
    } catch (const FormatError& error) {
      EXPECT_EQ(std::string(error.what()).find(path_), 0u) << "the message must begin with the file: " << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "a.h5";
  std::string whole_;
};

TEST_F(Damage, EveryTruncationIsFound) {
  for (const std::size_t length : {0, 1, 19, 20, 40, 511, 512, 513, 520, 1024}) {
    expect_refused(whole_.substr(0, length), fmt::format("cut to {}", length));
  }
  for (std::size_t length = 2048; length < whole_.size(); length += whole_.size() / 60) {
    expect_refused(whole_.substr(0, length), fmt::format("cut to {}", length));
  }
  expect_refused(whole_.substr(0, whole_.size() - 1), "last byte gone");
  expect_refused(whole_ + '\0', "a byte too many");
}

TEST_F(Damage, OneFlippedBitIsFoundAnywhere) {
  std::mt19937 random(20260101);
  std::vector<std::size_t> places = {0, 18, 30, 45, 60, 300, 511, 512, whole_.size() - 1};
  while (places.size() < 400) places.push_back(random() % whole_.size());
  for (const std::size_t place : places) {
    std::string bytes = whole_;
    bytes[place] = static_cast<char>(bytes[place] ^ (1 << (random() % 8)));
    expect_refused(bytes, fmt::format("byte {}", place));
  }
}

TEST_F(Damage, BlocksOfZerosAndForeignFilesAreFound) {
  for (std::size_t begin = 0; begin + 4096 < whole_.size(); begin += 4096) {
    std::string bytes = whole_;
    bytes.replace(begin, 4096, 4096, '\0');
    if (bytes != whole_) expect_refused(bytes, fmt::format("zeros at {}", begin));
  }
  expect_refused(whole_.substr(512), "plain HDF5 without the user block");
  expect_refused(std::string(5000, 'x'), "a text file");
}

TEST_F(Damage, AChangedElementIsFoundEvenWhenTheFileWasSealedAgain) {
  const std::string element(static_cast<const char*>(sample().tensors[1].values.raw()) + 28, 12);
  const std::size_t place = whole_.find(element);
  ASSERT_NE(place, std::string::npos);
  std::string bytes = whole_;
  bytes[place] ^= 1;
  const auto block = user_block(bytes.size() - kUserBlockBytes,
                                crc32c(bytes.data() + kUserBlockBytes, bytes.size() - kUserBlockBytes));
  bytes.replace(0, block.size(), block.data(), block.size());
  put_bytes(path_, bytes);
  try {
    read(path_);
    FAIL() << "the dataset's own CRC32C was not looked at";
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("master/head.bias"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mpdist::checkpoint
