// SPDX-License-Identifier: Apache-2.0
#include "data/formats/byte_source.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <system_error>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

class PlainFile final : public ByteSource {
 public:
  explicit PlainFile(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (!file_ || std::fseek(file_.get(), 0, SEEK_END) != 0) fail();
    const long size = std::ftell(file_.get());
    if (size < 0) fail();
    size_ = static_cast<std::uint64_t>(size);
    std::rewind(file_.get());
  }

  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t count = std::fread(out.data(), 1, out.size(), file_.get());
    if (std::ferror(file_.get())) fail();
    return count;
  }

  std::uint64_t most_bytes() const override { return size_; }

 private:
  [[noreturn]] void fail() const {
    throw UsageError(fmt::format("{}: cannot be read: {}", path_, std::generic_category().message(errno)));
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t size_ = 0;
};

/// gzip, one member or several behind one another (RFC 1952), from a copy of the compressed file in memory.
class GzipFile final : public ByteSource {
 public:
  explicit GzipFile(const std::string& path) : path_(path) {
    PlainFile file(path);
    compressed_.resize(file.most_bytes());
    compressed_.resize(file.read(compressed_));
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) throw LibraryError("zlib", "inflateInit2", "out of memory");
  }
  ~GzipFile() override { inflateEnd(&stream_); }
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  std::size_t read(std::span<std::uint8_t> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      if (ended_ && consumed_ == compressed_.size()) break;
      if (ended_) inflateReset(&stream_);
      done += inflate_some(out.subspan(done));
    }
    return done;
  }

  /// Deflate shrinks 1032 times at most (zlib's technical notes).
  std::uint64_t most_bytes() const override { return std::uint64_t{1032} * compressed_.size(); }

 private:
  /// One call of inflate: at most 1 GiB in and out, because zlib counts in 32 bits.
  std::size_t inflate_some(std::span<std::uint8_t> out) {
    constexpr std::size_t kMost = std::size_t{1} << 30;
    stream_.next_in = compressed_.data() + consumed_;
    stream_.avail_in = static_cast<uInt>(std::min(kMost, compressed_.size() - consumed_));
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(std::min(kMost, out.size()));
    const uInt room = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    consumed_ = static_cast<std::size_t>(stream_.next_in - compressed_.data());
    ended_ = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR) throw LibraryError("zlib", "inflate", "out of memory");
    if (code != Z_OK && code != Z_STREAM_END) {
      throw FormatError(
          path_, fmt::format("compressed byte {}", consumed_),
          code == Z_BUF_ERROR
              ? "expected more compressed data, found the end of the file: it is cut short"
              : fmt::format("expected gzip data, found damage ({})", stream_.msg ? stream_.msg : "unknown"));
    }
    return room - stream_.avail_out;
  }

  std::string path_;
  std::vector<std::uint8_t> compressed_;
  std::size_t consumed_ = 0;
  bool ended_ = false;
  z_stream stream_{};
};

}  // namespace

std::unique_ptr<ByteSource> ByteSource::open(const std::string& path) {
  if (path.ends_with(".gz")) return std::make_unique<GzipFile>(path);
  return std::make_unique<PlainFile>(path);
}

}  // namespace mpdist::data
