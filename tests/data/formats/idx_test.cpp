// SPDX-License-Identifier: Apache-2.0
#include "data/formats/idx.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <vector>

namespace mpdist::data {
namespace {

namespace fs = std::filesystem;
using Bytes = std::string;

Bytes big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

Bytes counting(std::size_t count, int modulus) {
  Bytes bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(static_cast<int>(i) % modulus);
  return bytes;
}

Bytes images(std::uint32_t n, std::uint32_t height = 3, std::uint32_t width = 2) {
  return big_endian(0x803) + big_endian(n) + big_endian(height) + big_endian(width) + counting(n * height * width, 251);
}

Bytes labels(std::uint32_t n) {
  return big_endian(0x801) + big_endian(n) + counting(n, 4);
}

Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A folder with 12 training and 8 test images; a test damages what it wants.
class Idx : public testing::Test {
 protected:
  Idx() : folder_(fs::temp_directory_path() / fmt::format("mpdist_idx_test_{}", getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Idx() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void write_all(bool compressed) const {
    const auto put = [&](const std::string& name, const Bytes& bytes) {
      compressed ? write(name + ".gz", gzip(bytes)) : write(name, bytes);
    };
    put("train-images-idx3-ubyte", images(12));
    put("train-labels-idx1-ubyte", labels(12));
    put("t10k-images-idx3-ubyte", images(8));
    put("t10k-labels-idx1-ubyte", labels(8));
  }
  Datasets open(std::int64_t classes = 0) const {
    IdxOptions options;
    options.classes = classes;
    return open_idx(options, folder_.string());
  }
  /// What open() says; the empty string when it succeeds.
  std::string complaint(ExitCode code, std::int64_t classes = 0) const {
    try {
      open(classes);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), code) << error.what();
      return error.what();
    }
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

void expect_content(const Datasets& sets) {
  EXPECT_EQ(sets.train->size(), 12);
  EXPECT_EQ(sets.test->size(), 8);
  EXPECT_EQ(sets.train->image_shape(), (Shape{3, 2, 1}));
  EXPECT_EQ(sets.train->classes(), 4);
  std::vector<float> image(6);
  for (std::int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(sets.train->label(i), i % 4);
    sets.train->read(i, image);
    for (std::int64_t p = 0; p < 6; ++p) EXPECT_EQ(image[p], static_cast<float>(i * 6 + p) / 255.0f);
  }
}

TEST_F(Idx, ReadsPlainFiles) {
  write_all(false);
  expect_content(open());
}

TEST_F(Idx, ReadsCompressedFiles) {
  write_all(true);
  expect_content(open());
}

TEST_F(Idx, PlainAndCompressedFilesHaveTheSameDigest) {
  write_all(false);
  const std::uint64_t plain = open().train->digest();
  fs::remove(folder_ / "train-images-idx3-ubyte");
  write("train-images-idx3-ubyte.gz", gzip(images(12)));
  EXPECT_EQ(open().train->digest(), plain);
  Bytes other = images(12);
  other.back() ^= 1;
  write("train-images-idx3-ubyte.gz", gzip(other));
  EXPECT_NE(open().train->digest(), plain);
}

TEST_F(Idx, ReadsCompressedFilesOfSeveralMembers) {
  write_all(true);
  const Bytes whole = images(12);
  write("train-images-idx3-ubyte.gz", gzip(whole.substr(0, 30)) + gzip(whole.substr(30)));
  expect_content(open());
}

TEST_F(Idx, ScalesBytesToTheUnitInterval) {
  write_all(false);
  Bytes bright = images(12);
  bright[16] = '\xff';
  write("train-images-idx3-ubyte", bright);
  std::vector<float> image(6);
  open().train->read(0, image);
  EXPECT_EQ(image[0], 1.0f);
}

TEST_F(Idx, NamesFileFieldExpectedAndFound) {
  const Bytes whole = images(12), packed = gzip(whole);
  Bytes damaged = packed, wrong_sum = packed;
  damaged[10] |= 0x06;  // the reserved block type of deflate
  wrong_sum[packed.size() - 6] ^= 0x55;
  const std::string name = "train-images-idx3-ubyte";
  const struct {
    std::string file;
    Bytes bytes;
    std::string message;
  } cases[] = {
      {name, labels(12), "magic number: expected 0x00000803, found 0x00000801"},
      {name, "", "magic number: expected 4 bytes, found 0: the file is cut short"},
      {name, whole.substr(0, 18), "expected extents that fit a file that holds at most 18 bytes, found 3"},
      {name + ".gz", gzip(whole.substr(0, 10)), "height: expected 4 bytes, found 2: the file is cut short"},
      {name, whole.substr(0, whole.size() - 1),
       "values: expected 72 bytes for extents [12, 3, 2], found 71: the file is cut short"},
      {name, whole + "x", "values: expected 72 bytes for extents [12, 3, 2], found more"},
      {name, images(0), "number of items: expected 1 to 2147483647, found 0"},
      {name, big_endian(0x803) + big_endian(0x7fffffff) + big_endian(28) + big_endian(28),
       "number of items: expected extents that fit a file that holds at most 16 bytes, found 2147483647"},
      {name, images(11), "number of items: expected 11 labels"},
      {"train-labels-idx1-ubyte", images(12), "magic number: expected 0x00000801, found 0x00000803"},
      {"t10k-images-idx3-ubyte", images(8, 2, 3),
       "height and width: expected those of the training images [12, 3, 2], found "
       "[8, 2, 3]"},
      {name + ".gz", packed.substr(0, packed.size() - 9), "expected more compressed data"},
      {name + ".gz", packed.substr(0, packed.size() - 4), "expected more compressed data"},
      {name + ".gz", damaged, "expected gzip data, found damage ("},
      {name + ".gz", wrong_sum, "expected gzip data, found damage (incorrect data check)"},
      {name + ".gz", packed + "trailing", "expected gzip data, found damage (incorrect header check)"},
      {name + ".gz", whole, "expected gzip data, found damage (incorrect header check)"},
      {name + ".gz", gzip(whole.substr(0, 80)), "values: expected 72 bytes for extents [12, 3, 2], found 64"},
      {name + ".gz", gzip(whole + "x"), "values: expected 72 bytes for extents [12, 3, 2], found more"},
      {name + ".gz", "", "expected more compressed data"},
  };
  for (const auto& bad : cases) {
    write_all(false);
    if (bad.file.ends_with(".gz")) fs::remove(folder_ / name);
    write(bad.file, bad.bytes);
    const std::string said = complaint(ExitCode::data);
    EXPECT_NE(said.find(bad.message), std::string::npos) << "expected: " << bad.message << "\nfound: " << said;
    const std::string named = bad.message.find("labels") == std::string::npos ? bad.file : "train-labels-idx1-ubyte";
    EXPECT_TRUE(said.starts_with(file(named) + ": ")) << said;
  }
}

TEST_F(Idx, RefusesLabelsBeyondTheClasses) {
  write_all(false);
  EXPECT_EQ(open(10).train->classes(), 10);
  EXPECT_EQ(complaint(ExitCode::data, 3),
            file("train-labels-idx1-ubyte") + ": values: expected labels below 3 (the number of classes), found 3");
  Bytes beyond = labels(8);
  beyond.back() = 9;
  write("t10k-labels-idx1-ubyte", beyond);
  EXPECT_EQ(complaint(ExitCode::data),
            file("t10k-labels-idx1-ubyte") + ": values: expected labels below 4 (the number of classes), found 9");
}

TEST_F(Idx, SaysWhatIsMissingAndWhatToDo) {
  write_all(true);
  fs::remove(folder_ / "t10k-labels-idx1-ubyte.gz");
  EXPECT_EQ(
      complaint(ExitCode::usage),
      fmt::format("data.path {}: expected t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, found neither; set "
                  "data.path to a folder with the four IDX files",
                  folder_.string()));
  fs::remove_all(folder_);
  EXPECT_EQ(
      complaint(ExitCode::usage),
      fmt::format("data.path: expected a folder, found no folder \"{}\"; set data.path to a folder with the four IDX "
                  "files",
                  folder_.string()));
  try {
    open_idx({}, "/usr/share/datasets/fashion-mnist/missing");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("install the Debian package dataset-fashion-mnist"), std::string::npos);
  }
}

TEST(FashionMnist, IsReadAsPublished) {
  const Datasets sets = open_idx({}, "/usr/share/datasets/fashion-mnist");
  EXPECT_EQ(sets.train->size(), 60000);
  EXPECT_EQ(sets.test->size(), 10000);
  EXPECT_EQ(sets.train->image_shape(), (Shape{28, 28, 1}));
  EXPECT_EQ(sets.train->classes(), 10);
  std::vector<int> counts(10);
  for (std::int64_t i = 0; i < 60000; ++i) ++counts[static_cast<std::size_t>(sets.train->label(i))];
  EXPECT_EQ(counts, std::vector<int>(10, 6000)) << "balanced, as its paper says (Xiao et al. 2017)";
  std::vector<float> image(28 * 28);
  double sum = 0;
  for (std::int64_t i = 0; i < 60000; ++i) {
    sets.train->read(i, image);
    sum += std::accumulate(image.begin(), image.end(), 0.0);
  }
  EXPECT_NEAR(sum / (60000.0 * 784), 0.2860, 0.0001) << "the mean that everybody normalises with";
}

}  // namespace
}  // namespace mpdist::data
