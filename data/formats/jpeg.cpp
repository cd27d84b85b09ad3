// SPDX-License-Identifier: Apache-2.0
#include <csetjmp>
#include <cstdio>
// jpeglib.h needs cstdio before it
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>

#include "data/formats/picture.hpp"

namespace mpdist::data {
namespace {

/// libjpeg reports through callbacks that must not return: they jump back into decode_jpeg.
struct Errors {
  jpeg_error_mgr base;  ///< first: libjpeg hands back a pointer to it
  std::jmp_buf back;
  std::array<char, JMSG_LENGTH_MAX> text;
};

struct Decompressor {
  jpeg_decompress_struct info{};
  Errors errors{};
  Decompressor();
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

[[noreturn]] void fail(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  info->err->format_message(info, errors->text.data());
  std::longjmp(errors->back, 1);
}

/// Warnings mean that pixels were made up, but for those about bytes that belong to no pixel.
void take_message(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR) return;
  fail(info);
}

Decompressor::Decompressor() {
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = fail;
  errors.base.emit_message = take_message;
}

/// The smallest of 1/1, 1/2, 1/4, 1/8 at which the shorter side is still twice as long as wanted.
unsigned denominator_for(std::int64_t shorter, std::int64_t wanted) {
  unsigned denominator = 1;
  while (wanted > 0 && denominator < 8 && shorter / (2 * denominator) >= 2 * wanted) denominator *= 2;
  return denominator;
}

void choose_output(jpeg_decompress_struct& info, const DecodeOptions& options) {
  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  const bool has_grey = info.jpeg_color_space == JCS_GRAYSCALE || info.jpeg_color_space == JCS_YCbCr;
  info.out_color_space = cmyk ? JCS_CMYK : has_grey && options.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info.dct_method = JDCT_ISLOW;  // the same bits with and without SIMD
  info.scale_num = 1;
  info.scale_denom = denominator_for(std::min(info.image_width, info.image_height), options.shorter_side);
}

/// Adobe's inverted inks, in place: [n, 4] to [n, 3].
void inks_to_colours(Picture& picture) {
  const std::int64_t count = picture.height * picture.width;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint8_t* inks = picture.pixels.data() + 4 * i;
    const int black = inks[3];
    std::array<std::uint8_t, 3> colours;
    for (std::size_t c = 0; c < 3; ++c) colours[c] = static_cast<std::uint8_t>((inks[c] * black + 127) / 255);
    std::copy(colours.begin(), colours.end(), picture.pixels.begin() + 3 * i);
  }
  picture.pixels.resize(static_cast<std::size_t>(3 * count));
  picture.channels = 3;
}

void read_pixels(jpeg_decompress_struct& info, Picture& picture) {
  picture.file_height = info.image_height;
  picture.file_width = info.image_width;
  picture.height = info.output_height;
  picture.width = info.output_width;
  picture.channels = info.output_components;
  const std::size_t row = std::size_t{info.output_width} * static_cast<std::size_t>(info.output_components);
  picture.pixels.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW at = picture.pixels.data() + row * info.output_scanline;
    jpeg_read_scanlines(&info, &at, 1);
  }
}

}  // namespace

std::string decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options, Picture& picture) {
  Decompressor jpeg;
  if (setjmp(jpeg.errors.back) != 0) return jpeg.errors.text.data();
  jpeg_create_decompress(&jpeg.info);
  jpeg_mem_src(&jpeg.info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&jpeg.info, TRUE);
  if (std::int64_t{jpeg.info.image_width} * jpeg.info.image_height > kMostPixels) return "more than 2^28 pixels";
  choose_output(jpeg.info, options);
  jpeg_start_decompress(&jpeg.info);
  read_pixels(jpeg.info, picture);
  jpeg_finish_decompress(&jpeg.info);
  if (picture.channels == 4) inks_to_colours(picture);
  return {};
}

}  // namespace mpdist::data
