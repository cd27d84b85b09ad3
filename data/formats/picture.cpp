// SPDX-License-Identifier: Apache-2.0
#include "data/formats/picture.hpp"

#include <algorithm>
#include <array>

#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

constexpr std::array<unsigned char, 8> kPngHead = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::array<unsigned char, 12> kPngTail = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
constexpr std::array<unsigned char, 3> kJpegHead = {0xff, 0xd8, 0xff};
constexpr std::array<unsigned char, 2> kJpegTail = {0xff, 0xd9};

bool same(std::span<const std::byte> bytes, std::span<const unsigned char> expected) {
  return std::ranges::equal(bytes, expected, [](std::byte a, unsigned char b) { return a == std::byte{b}; });
}

bool begins_with(std::span<const std::byte> bytes, std::span<const unsigned char> expected) {
  return bytes.size() >= expected.size() && same(bytes.first(expected.size()), expected);
}

bool ends_with(std::span<const std::byte> bytes, std::span<const unsigned char> expected) {
  return bytes.size() >= expected.size() && same(bytes.last(expected.size()), expected);
}

/// ITU-R 601 luma in integers, as Pillow computes it.
void to_grey(Picture& picture) {
  std::uint8_t* pixels = picture.pixels.data();
  const std::int64_t count = picture.height * picture.width;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint8_t* rgb = pixels + 3 * i;
    pixels[i] = static_cast<std::uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
  }
  picture.pixels.resize(static_cast<std::size_t>(count));
  picture.channels = 1;
}

void to_colour(Picture& picture) {
  const std::int64_t count = picture.height * picture.width;
  picture.pixels.resize(static_cast<std::size_t>(3 * count));
  for (std::int64_t i = count - 1; i >= 0; --i) {
    const std::uint8_t grey = picture.pixels[static_cast<std::size_t>(i)];
    std::fill_n(picture.pixels.begin() + 3 * i, 3, grey);
  }
  picture.channels = 3;
}

}  // namespace

Encoding encoding_of(std::span<const std::byte> head) {
  if (begins_with(head, kJpegHead)) return Encoding::jpeg;
  return begins_with(head, kPngHead) ? Encoding::png : Encoding::unknown;
}

bool ends_well(Encoding encoding, std::span<const std::byte> tail) {
  return encoding == Encoding::jpeg ? ends_with(tail, kJpegTail) : ends_with(tail, kPngTail);
}

void decode(const std::string& path, std::span<const std::byte> file, const DecodeOptions& options, Picture& picture) {
  const Encoding encoding = encoding_of(file);
  if (encoding == Encoding::unknown) {
    throw FormatError(path, "first bytes",
                      fmt::format("expected a JPEG or PNG image, found something else in {} bytes", file.size()));
  }
  const bool jpeg = encoding == Encoding::jpeg;
  const std::string problem = jpeg ? decode_jpeg(file, options, picture) : decode_png(file, picture);
  if (!problem.empty()) {
    throw FormatError(path, jpeg ? "JPEG data" : "PNG data",
                      fmt::format("expected a whole image, found damage: {}", problem));
  }
  if (picture.channels == 3 && options.channels == 1) to_grey(picture);
  if (picture.channels == 1 && options.channels == 3) to_colour(picture);
}

}  // namespace mpdist::data
