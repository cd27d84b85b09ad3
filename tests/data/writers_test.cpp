// SPDX-License-Identifier: Apache-2.0
#include "data/writers.hpp"

#include <array>
#include <limits>
#include <set>

#include "data/formats/hdf5.hpp"
#include "data/formats/idx.hpp"
#include "data/formats/synthetic.hpp"
#include "tests/data/fake_dataset.hpp"
#include "tests/data/scratch_folder.hpp"

namespace mpdist::data {
namespace {

Datasets some(std::int64_t channels = 1) {
  SyntheticOptions options;
  options.size = 70;
  options.test_size = 11;
  options.height = options.width = 5;
  options.channels = channels;
  return open_synthetic(options, 3);
}

/// The images of a part as the nearest bytes.
std::vector<std::uint8_t> rounded(const Dataset& part) {
  const auto elements = static_cast<std::size_t>(part.image_shape().elements());
  std::vector<float> image(elements);
  std::vector<std::uint8_t> all(elements * static_cast<std::size_t>(part.size()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(part.size()); ++i) {
    part.read(static_cast<std::int64_t>(i), image);
    to_bytes(image, std::span(all).subspan(i * elements, elements));
  }
  return all;
}

class Writers : public ScratchFolder {};

TEST_F(Writers, EveryByteIsKnownAsOne) {
  std::array<float, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 255.0f;
  std::array<std::uint8_t, 256> bytes{};
  EXPECT_TRUE(to_bytes(values, bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], i);
  for (const auto& [value, byte] : std::vector<std::pair<float, int>>{
           {0.5f, 128}, {-1.0f, 0}, {2.0f, 255}, {std::numeric_limits<float>::quiet_NaN(), 0}}) {
    EXPECT_FALSE(to_bytes(std::span(&value, 1), std::span(bytes).first(1))) << value;
    EXPECT_EQ(bytes[0], byte);
  }
}

TEST_F(Writers, FloatsComeBackFromHdf5AsTheyWere) {
  const Datasets sets = some(2);
  write_hdf5(sets, path("a.h5"), {.chunk = 16, .deflate = 2});
  const Datasets back = open_hdf5({}, path("a.h5"));
  EXPECT_EQ(back.train->blocks().rows, 16);
  std::vector<float> image(50), found(50);
  for (std::int64_t i = 0; i < sets.train->size(); ++i) {
    sets.train->read(i, image);
    back.train->read(i, found);
    ASSERT_EQ(image, found) << i;
    EXPECT_EQ(back.train->label(i), sets.train->label(i));
  }
}

TEST_F(Writers, RoundWhenAskedTo) {
  const Datasets sets = some();
  write_hdf5(sets, path("a.h5"), {.type = "uint8"});
  std::filesystem::create_directories(folder_ / "idx");
  write_idx(sets, path("idx"), {.type = "uint8"});
  for (const Datasets& back : {open_hdf5({}, path("a.h5")), open_idx({}, path("idx"))}) {
    EXPECT_EQ(rounded(*back.train), rounded(*sets.train));
    EXPECT_EQ(rounded(*back.test), rounded(*sets.test));
    EXPECT_TRUE(all_bytes(back));
  }
  EXPECT_FALSE(all_bytes(sets));
}

TEST_F(Writers, RefuseWhatTheirFormatCannotHold) {
  EXPECT_EQ(complaint(ExitCode::usage, [&] { write_idx(some(3), path(), {}); }),
            "idx files hold images of 1 channel, found 3; convert to hdf5 or images");
  EXPECT_EQ(complaint(ExitCode::usage, [&] { write_images(some(2), path(), {}); }),
            "PNG files hold 1 or 3 channels, found 2; convert to hdf5");
  EXPECT_NE(complaint(ExitCode::usage, [&] { write_idx(some(), path(), {}); }).find("--type uint8"), std::string::npos);
  EXPECT_NE(complaint(ExitCode::usage, [&] { write_images(some(), path(), {.type = "fp32"}); }).find("hold bytes"),
            std::string::npos);
  EXPECT_EQ(complaint(ExitCode::usage, [&] { write_idx(some(), path(), {.type = "uint8", .chunk = 8}); }),
            "--chunk and --deflate belong to --to hdf5 alone");
}

TEST_F(Writers, MakeSureOfRoomForWholeChunksAndTheirIndex) {
  const auto large = [](std::int64_t size) { return std::make_unique<FakeDataset>(size, Shape{1024, 1024, 1}); };
  const Datasets sets{.train = large((std::int64_t{1} << 37) + 1), .test = large(1)};
  // 2^26 + 1 chunks of 2048 MiB and 128 bytes, 2^37 labels, an image, a MiB; a bare name is one in this folder.
  const std::uint64_t mib = ((1ull << 26) + 1) * 2048 + (1ull << 13) + (1ull << 19) + 2;
  EXPECT_TRUE(complaint(ExitCode::usage, [&] {
                write_hdf5(sets, "bare_name.h5", {.type = "uint8", .chunk = 2048});
              }).starts_with(fmt::format("bare_name.h5: expected room for {} MiB", mib)));
  EXPECT_FALSE(std::filesystem::exists("bare_name.h5"));
}

TEST_F(Writers, NameTheLargestChunk) {
  const Shape image{1024, 1024, 1};
  const Datasets sets{.train = std::make_unique<FakeDataset>(5000, image),
                      .test = std::make_unique<FakeDataset>(1, image)};
  EXPECT_EQ(complaint(ExitCode::usage, [&] { write_hdf5(sets, path("a.h5"), {.type = "uint8", .chunk = 4096}); }),
            "--chunk 4096: expected chunks below 4 GiB: at most --chunk 4095 for images of 1048576 bytes");
}

TEST_F(Writers, HaveUniqueNamesThatReadersKnow) {
  std::set<std::string> names;
  for (const Writer& writer : writers()) EXPECT_TRUE(names.insert(writer.name).second);
  EXPECT_EQ(names, (std::set<std::string>{"hdf5", "idx", "images"}));
}

}  // namespace
}  // namespace mpdist::data
