// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mpdist::data {

/// A decoded image as bytes.
struct Picture {
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 0;                     ///< 1: grey, 3: red, green, blue
  std::int64_t file_height = 0, file_width = 0;  ///< of the image in the file; larger where it was decoded smaller
  std::vector<std::uint8_t> pixels;              ///< [height, width, channels]; its memory is used again
};

/// How an image shall be decoded.
struct DecodeOptions {
  std::int64_t channels = 3;
  /// The shorter side that is wanted in the end: a JPEG at least twice (four, eight times) as large as twice that is
  /// decoded at half (a quarter, an eighth) of its size. 0: always whole.
  std::int64_t shorter_side = 0;
};

enum class Encoding : unsigned char { unknown, jpeg, png };
/// What a file is by its first bytes (8 are enough); names do not matter.
Encoding encoding_of(std::span<const std::byte> head);
/// Whether a file that ends with `tail` (12 bytes are enough) ends as its encoding should.
bool ends_well(Encoding encoding, std::span<const std::byte> tail);

/// Decodes a JPEG (baseline or progressive; grey, YCbCr, RGB, CMYK, YCCK) or PNG (any; 16 bits are rounded to 8, alpha
/// is dropped, gamma and profiles are ignored) into `picture` with `options.channels` channels. Grey of colours is
/// ITU-R 601 luma, of a YCbCr JPEG its Y. Throws FormatError naming `path` where the file is damaged or cut short.
void decode(const std::string& path, std::span<const std::byte> file, const DecodeOptions& options, Picture& picture);

/// One row for each codec, used by decode(): returns what is wrong with the file, empty when nothing is.
std::string decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options, Picture& picture);
std::string decode_png(std::span<const std::byte> file, Picture& picture);

/// Writes an 8-bit PNG of `pixels` [height, width, channels], channels 1 or 3. Throws LibraryError.
void write_png(const std::string& path, std::int64_t height, std::int64_t width, std::int64_t channels,
               std::span<const std::uint8_t> pixels);

/// More pixels are refused: a damaged header must not ask for all memory.
inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;

}  // namespace mpdist::data
