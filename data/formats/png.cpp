// SPDX-License-Identifier: Apache-2.0
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "data/formats/picture.hpp"
#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

/// What is left of the file, and what libpng complained of last.
struct Input {
  std::span<const std::byte> rest;
  std::string problem;
};

void take(png_structp png, png_bytep out, std::size_t count) {
  auto* input = static_cast<Input*>(png_get_io_ptr(png));
  if (count > input->rest.size()) png_error(png, "the file is cut short");
  std::memcpy(out, input->rest.data(), count);
  input->rest = input->rest.subspan(count);
}

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  static_cast<Input*>(png_get_error_ptr(png))->problem = message;
  png_longjmp(png, 1);
}

void ignore(png_structp /*png*/, png_const_charp /*message*/) {}

struct Reader {
  Input input;
  std::vector<png_bytep> rows;
  png_structp png;
  png_infop info;

  explicit Reader(std::span<const std::byte> file)
      : input{file, {}}, png(png_create_read_struct(PNG_LIBPNG_VER_STRING, &input, fail, ignore)) {
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) throw LibraryError("libpng", "png_create_read_struct", "out of memory");
    png_set_read_fn(png, &input, take);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

/// Everything becomes 8 bits of grey or of red, green, blue.
void choose_output(Reader& reader) {
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
}

void prepare(Reader& reader, Picture& picture) {
  picture.height = picture.file_height = png_get_image_height(reader.png, reader.info);
  picture.width = picture.file_width = png_get_image_width(reader.png, reader.info);
  picture.channels = png_get_channels(reader.png, reader.info);
  const std::size_t row = png_get_rowbytes(reader.png, reader.info);
  picture.pixels.resize(row * static_cast<std::size_t>(picture.height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(picture.height); ++y) {
    reader.rows.push_back(picture.pixels.data() + y * row);
  }
}

}  // namespace

std::string decode_png(std::span<const std::byte> file, Picture& picture) {
  Reader reader(file);
  if (setjmp(png_jmpbuf(reader.png)) != 0) return reader.input.problem;
  png_read_info(reader.png, reader.info);
  const std::int64_t pixels =
      std::int64_t{png_get_image_width(reader.png, reader.info)} * png_get_image_height(reader.png, reader.info);
  if (pixels > kMostPixels) return "more than 2^28 pixels";
  choose_output(reader);
  prepare(reader, picture);
  png_read_image(reader.png, reader.rows.data());
  png_read_end(reader.png, nullptr);
  return {};
}

void write_png(const std::string& path, std::int64_t height, std::int64_t width, std::int64_t channels,
               std::span<const std::uint8_t> pixels) {
  require((channels == 1 || channels == 3) && static_cast<std::int64_t>(pixels.size()) == height * width * channels,
          "a PNG of {} x {} x {} from {} bytes", height, width, channels, pixels.size());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr) == 0) {
    throw LibraryError("libpng", "png_image_write_to_file(" + path + ")", image.message);
  }
}

}  // namespace mpdist::data
