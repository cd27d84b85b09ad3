// SPDX-License-Identifier: Apache-2.0
#include "data/formats/picture.hpp"

#include <png.h>

#include <cmath>
#include <vector>

#include "data/formats/data_file.hpp"
#include "tests/data/scratch_folder.hpp"
#include "tests/support/jpeg_file.hpp"

namespace mpdist::data {
namespace {

/// A smooth image, which JPEG keeps to within a few steps.
std::vector<std::uint8_t> smooth(int height, int width, int channels) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) pixels.push_back(static_cast<std::uint8_t>(40 + 3 * y + 2 * x + 30 * c));
    }
  }
  return pixels;
}

std::vector<std::uint8_t> noise(std::size_t count) {
  std::vector<std::uint8_t> pixels(count);
  std::uint32_t state = 1;
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return pixels;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Picture decoded(const std::string& file, std::int64_t channels, std::int64_t shorter_side = 0) {
  Picture picture;
  decode("x.jpg", bytes_of(file), {.channels = channels, .shorter_side = shorter_side}, picture);
  return picture;
}

int largest_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

class PictureTest : public ScratchFolder {
 protected:
  /// A PNG of one of libpng's simple formats.
  std::string png(png_uint_32 format, int height, int width, const void* pixels) const {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.height = static_cast<png_uint_32>(height);
    image.width = static_cast<png_uint_32>(width);
    image.format = format;
    EXPECT_NE(png_image_write_to_file(&image, path("x.png").c_str(), 0, pixels, 0, nullptr), 0) << image.message;
    return content("x.png");
  }
  std::string content(const std::string& name) const {
    std::vector<std::byte> bytes;
    read_whole(path(name), bytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string refused(const std::string& file) const {
    return complaint(ExitCode::data, [&] { decoded(file, 3); });
  }
};

TEST_F(PictureTest, DecodesJpegsOfEveryKind) {
  const std::vector<std::uint8_t> grey = smooth(17, 23, 1), colour = smooth(17, 23, 3);
  for (bool progressive : {false, true}) {
    const Picture one = decoded(test::jpeg_bytes(17, 23, 1, grey, progressive), 1);
    EXPECT_EQ(one.height, 17);
    EXPECT_EQ(one.width, 23);
    EXPECT_LE(largest_difference(one.pixels, grey), 3);
    const Picture three = decoded(test::jpeg_bytes(17, 23, 3, colour, progressive), 3);
    EXPECT_EQ(three.channels, 3);
    EXPECT_LE(largest_difference(three.pixels, colour), 8);
  }
  const Picture spread = decoded(test::jpeg_bytes(17, 23, 1, grey), 3),
                one = decoded(test::jpeg_bytes(17, 23, 1, grey), 1);
  for (std::size_t i = 0; i < spread.pixels.size(); ++i) ASSERT_EQ(spread.pixels[i], one.pixels[i / 3]);
}

TEST_F(PictureTest, GreyOfAColourJpegIsItsLuma) {
  const std::vector<std::uint8_t> colour = smooth(16, 16, 3);
  const Picture grey = decoded(test::jpeg_bytes(16, 16, 3, colour), 1);
  ASSERT_EQ(grey.channels, 1);
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) {
    const double luma = 0.299 * colour[3 * i] + 0.587 * colour[3 * i + 1] + 0.114 * colour[3 * i + 2];
    EXPECT_NEAR(grey.pixels[i], luma, 3);
  }
}

TEST_F(PictureTest, TurnsInksIntoColours) {
  std::vector<std::uint8_t> inks, expected;
  for (int i = 0; i < 16 * 16; ++i) {
    for (int ink : {200, 100, 50, 128}) inks.push_back(static_cast<std::uint8_t>(ink));
    for (int colour : {200 * 128 / 255, 100 * 128 / 255, 50 * 128 / 255}) {
      expected.push_back(static_cast<std::uint8_t>(colour));
    }
  }
  const Picture picture = decoded(test::jpeg_bytes(16, 16, 4, inks), 3);
  EXPECT_EQ(picture.channels, 3);
  EXPECT_LE(largest_difference(picture.pixels, expected), 2);
}

TEST_F(PictureTest, DecodesLargeJpegsSmallerWhereEnoughIsLeft) {
  const std::string file = test::jpeg_bytes(200, 264, 1, smooth(200, 264, 1));
  const std::vector<std::pair<std::int64_t, std::int64_t>> sides = {{0, 200}, {101, 200}, {51, 200}, {50, 100},
                                                                    {25, 50}, {12, 25},   {3, 25}};
  for (const auto& [wanted, height] : sides) {
    const Picture picture = decoded(file, 1, wanted);
    EXPECT_EQ(picture.height, height) << "for " << wanted;
    EXPECT_EQ(picture.width, height * 264 / 200);
    EXPECT_EQ(picture.file_height, 200);
    EXPECT_EQ(picture.file_width, 264);
  }
}

TEST_F(PictureTest, DecodesPngsOfEveryKindExactly) {
  const std::vector<std::uint8_t> grey = noise(7 * 5), colour = noise(7 * 5 * 3), transparent = noise(7 * 5 * 4);
  EXPECT_EQ(decoded(png(PNG_FORMAT_GRAY, 7, 5, grey.data()), 1).pixels, grey);
  EXPECT_EQ(decoded(png(PNG_FORMAT_RGB, 7, 5, colour.data()), 3).pixels, colour);
  std::vector<std::uint8_t> opaque;
  for (std::size_t i = 0; i < transparent.size(); ++i) {
    if (i % 4 != 3) opaque.push_back(transparent[i]);
  }
  EXPECT_EQ(decoded(png(PNG_FORMAT_RGBA, 7, 5, transparent.data()), 3).pixels, opaque) << "alpha is dropped";
  std::vector<std::uint8_t> luma;
  for (std::size_t i = 0; i < 35; ++i) {
    luma.push_back(static_cast<std::uint8_t>(
        std::lround(0.299 * colour[3 * i] + 0.587 * colour[3 * i + 1] + 0.114 * colour[3 * i + 2])));
  }
  EXPECT_LE(largest_difference(decoded(png(PNG_FORMAT_RGB, 7, 5, colour.data()), 1).pixels, luma), 1);
  const std::vector<std::uint16_t> wide(35, 0x8081);
  const Picture rounded = decoded(png(PNG_FORMAT_LINEAR_Y, 7, 5, wide.data()), 1);
  EXPECT_EQ(rounded.pixels, std::vector<std::uint8_t>(35, 0x80)) << "16 bits are rounded to 8, gamma is ignored";
}

TEST_F(PictureTest, WritesPngsThatComeBack) {
  const std::vector<std::uint8_t> colour = noise(6 * 4 * 3);
  write_png(path("a.png"), 6, 4, 3, colour);
  EXPECT_EQ(decoded(content("a.png"), 3).pixels, colour);
  write_png(path("b.png"), 6, 12, 1, colour);
  EXPECT_EQ(decoded(content("b.png"), 1).pixels, colour);
  EXPECT_THROW(write_png(path("none/c.png"), 6, 12, 1, colour), LibraryError);
}

TEST_F(PictureTest, NamesDamage) {
  const std::vector<std::uint8_t> pixels = noise(32 * 32 * 3);
  const std::string jpeg = test::jpeg_bytes(32, 32, 3, pixels);
  EXPECT_EQ(refused("hello, world"),
            "x.jpg: first bytes: expected a JPEG or PNG image, found something else in 12 bytes");
  for (std::size_t kept : {jpeg.size() - 2, jpeg.size() / 2, std::size_t{200}, std::size_t{20}}) {
    EXPECT_TRUE(refused(jpeg.substr(0, kept)).starts_with("x.jpg: JPEG data: expected a whole image, found damage: "))
        << kept << " of " << jpeg.size() << ": " << refused(jpeg.substr(0, kept));
  }
  EXPECT_EQ(refused(jpeg + "trailing bytes"), "") << "bytes behind the end do no harm";
  const std::string whole = png(PNG_FORMAT_RGB, 32, 32, pixels.data());
  EXPECT_EQ(refused(whole), "");
  for (std::size_t kept : {whole.size() - 1, whole.size() / 2, std::size_t{20}}) {
    EXPECT_EQ(refused(whole.substr(0, kept)),
              "x.jpg: PNG data: expected a whole image, found damage: the file is cut short");
  }
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  EXPECT_TRUE(refused(flipped).starts_with("x.jpg: PNG data: expected a whole image, found damage: "));
}

TEST_F(PictureTest, KnowsHeadsAndTails) {
  const std::string jpeg = test::jpeg_bytes(8, 8, 1, smooth(8, 8, 1)),
                    other = png(PNG_FORMAT_GRAY, 5, 7, noise(35).data());
  EXPECT_EQ(encoding_of(bytes_of(jpeg)), Encoding::jpeg);
  EXPECT_EQ(encoding_of(bytes_of(other)), Encoding::png);
  EXPECT_EQ(encoding_of(bytes_of("GIF89a..")), Encoding::unknown);
  EXPECT_EQ(encoding_of({}), Encoding::unknown);
  EXPECT_TRUE(ends_well(Encoding::jpeg, bytes_of(jpeg)));
  EXPECT_TRUE(ends_well(Encoding::png, bytes_of(other)));
  EXPECT_FALSE(ends_well(Encoding::png, bytes_of(other.substr(0, other.size() - 1))));
  EXPECT_FALSE(ends_well(Encoding::jpeg, bytes_of(jpeg.substr(0, jpeg.size() - 1))));
}

}  // namespace
}  // namespace mpdist::data
