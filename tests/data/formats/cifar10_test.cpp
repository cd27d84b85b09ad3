// SPDX-License-Identifier: Apache-2.0
#include "data/formats/cifar10.hpp"

#include <vector>

#include "tests/data/scratch_folder.hpp"

namespace mpdist::data {
namespace {

constexpr std::size_t kImage = 3072;

class Cifar10 : public ScratchFolder {
 protected:
  /// Record `i`: its labels, then bytes that tell plane and place apart.
  static std::string record(const std::string& labels, std::size_t i) {
    std::string bytes = labels;
    for (std::size_t at = 0; at < kImage; ++at) bytes += static_cast<char>((at / 1024 * 80 + at % 1024 + i) % 251);
    return bytes;
  }
  /// Three records with labels first, first + 1, first + 2 modulo 10.
  static std::string batch(int first) {
    std::string bytes;
    for (int i = 0; i < 3; ++i)
      bytes += record({static_cast<char>((first + i) % 10)}, static_cast<std::size_t>(first + i));
    return bytes;
  }
  void write_all() const {
    for (int i = 1; i <= 5; ++i) write(fmt::format("data_batch_{}.bin", i), batch(3 * i - 3));
    write("test_batch.bin", batch(20));
  }
  Datasets open(const std::string& labels = "cifar10", std::int64_t records = 3) const {
    Cifar10Options options;
    options.labels = labels;
    options.records = records;
    return open_cifar10(options, path());
  }
};

TEST_F(Cifar10, ReadsLabelsAndPlanesAsPixels) {
  write_all();
  const Datasets sets = open();
  ASSERT_EQ(sets.train->size(), 15);
  EXPECT_EQ(sets.test->size(), 3);
  EXPECT_EQ(sets.train->image_shape(), (Shape{32, 32, 3}));
  EXPECT_EQ(sets.train->classes(), 10);
  std::vector<float> image(kImage);
  for (std::int64_t i = 0; i < 15; ++i) {
    EXPECT_EQ(sets.train->label(i), i % 10);
    sets.train->read(i, image);
    for (std::size_t pixel = 0; pixel < 1024; ++pixel) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto byte = static_cast<float>((channel * 80 + pixel + static_cast<std::size_t>(i)) % 251);
        ASSERT_EQ(image[pixel * 3 + channel], byte / 255.0f) << "image " << i << " pixel " << pixel;
      }
    }
  }
  EXPECT_EQ(sets.test->label(0), 0);
}

TEST_F(Cifar10, ReadsBothLabelsOfCifar100) {
  const std::string both = record({19, 99}, 0) + record({3, 42}, 1);
  write("train.bin", both);
  write("test.bin", both);
  const Datasets fine = open("cifar100", 2), coarse = open("cifar100-coarse", 2);
  EXPECT_EQ(fine.train->classes(), 100);
  EXPECT_EQ(coarse.train->classes(), 20);
  EXPECT_EQ(fine.train->label(0), 99);
  EXPECT_EQ(coarse.train->label(0), 19);
  EXPECT_EQ(fine.test->label(1), 42);
  EXPECT_EQ(coarse.test->label(1), 3);
  EXPECT_NE(fine.train->digest(), coarse.train->digest());
  write("test.bin", record({20, 99}, 0) + record({3, 100}, 1));
  EXPECT_EQ(complaint(ExitCode::data, [&] { open("cifar100", 2); }),
            path("test.bin") + ": record 1, label: expected 0 to 99, found 100");
  EXPECT_EQ(complaint(ExitCode::data, [&] { open("cifar100-coarse", 2); }),
            path("test.bin") + ": record 0, label: expected 0 to 19, found 20");
}

TEST_F(Cifar10, NamesFileRecordExpectedAndFound) {
  const std::string whole = batch(6);
  std::string mislabelled = whole;
  mislabelled[2 * (kImage + 1)] = 10;
  const struct {
    std::string bytes, message;
  } cases[] = {
      {whole.substr(0, 2 * 3073 + 5),
       "record 2: expected 3 records of 3073 bytes, found 2 and 5 bytes: the file is cut short"},
      {whole.substr(0, 2 * 3073),
       "record 2: expected 3 records of 3073 bytes, found 2 and 0 bytes: the file is cut short"},
      {"", "record 0: expected 3 records of 3073 bytes, found 0 and 0 bytes: the file is cut short"},
      {whole + "x", "length: expected 3 records of 3073 bytes, found 3 and 1 bytes"},
      {mislabelled, "record 2, label: expected 0 to 9, found 10"},
  };
  for (const auto& bad : cases) {
    write_all();
    write("data_batch_3.bin", bad.bytes);
    EXPECT_EQ(complaint(ExitCode::data, [&] { open(); }), path("data_batch_3.bin") + ": " + bad.message);
  }
  write_all();
  EXPECT_NE(complaint(ExitCode::data, [&] { open("cifar10", 0); }).find("expected 10000 records"), std::string::npos)
      << "the published number, unless data.records says otherwise";
}

TEST_F(Cifar10, SaysWhichFileIsMissing) {
  write_all();
  std::filesystem::remove(folder_ / "data_batch_4.bin");
  EXPECT_EQ(complaint(ExitCode::usage, [&] { open(); }),
            fmt::format("data.path {}: expected data_batch_4.bin of data.labels = \"cifar10\", found no such file; set "
                        "data.path to the folder of the binary version's files",
                        path()));
  EXPECT_NE(complaint(ExitCode::usage, [&] { open_cifar10({}, path("none")); }).find("found no folder"),
            std::string::npos);
}

}  // namespace
}  // namespace mpdist::data
