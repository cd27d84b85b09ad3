// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <vector>

#include "src/checkpoint/crc32c.hpp"
#include "src/checkpoint/layout.hpp"
#include "src/checkpoint/posix_file.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::checkpoint {
namespace {

std::uint32_t crc_of_body(const PosixFile& file, std::uint64_t size) {
  std::vector<char> buffer(std::min<std::uint64_t>(size - kUserBlockBytes, kSlabBytes));
  std::uint32_t crc = 0;
  for (std::uint64_t position = kUserBlockBytes; position < size; position += buffer.size()) {
    const std::size_t bytes = std::min<std::uint64_t>(size - position, buffer.size());
    file.read(buffer.data(), bytes, position);
    crc = crc32c(buffer.data(), bytes, crc);
  }
  return crc;
}

/// One line of what a user block says, for messages: its text lines joined by blanks, unprintable bytes as '?'.
std::string as_one_line(const char* block) {
  std::string text(block, strnlen(block, 60));
  for (char& c : text) {
    if (c == '\n') c = ' ';
    if (c < ' ' || c > '~') c = '?';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// Any damage shows here: the user block must be, byte for byte, the one that this length and CRC32C would have been
/// given.
void verify_user_block(const std::string& path) {
  const PosixFile file(path, PosixFile::Mode::read);
  const std::uint64_t size = file.size();
  if (size < kUserBlockBytes) {
    throw FormatError(path, fmt::format("length {}", size),
                      fmt::format("expected a checkpoint of at least {} bytes; the file is cut off", kUserBlockBytes));
  }
  std::array<char, kUserBlockBytes> found;
  file.read(found.data(), found.size(), 0);
  constexpr std::string_view kMagic = "mpdist checkpoint ";
  if (std::string_view(found.data(), kMagic.size()) != kMagic) {
    throw FormatError(
        path, "offset 0",
        fmt::format("expected \"mpdist checkpoint 1\", found \"{}\"; not a checkpoint, or its first bytes are damaged",
                    as_one_line(found.data())));
  }
  const auto expected = user_block(size - kUserBlockBytes, crc_of_body(file, size));
  if (found != expected) {
    throw FormatError(path, "user block",
                      fmt::format("the file is damaged: it says \"{}\", its bytes give \"{}\"",
                                  as_one_line(found.data()), as_one_line(expected.data())));
  }
}

class TreeReader {
 public:
  TreeReader(const std::string& path, Checkpoint& out) : path_(path), out_(out) {}

  void read(const hdf5::Group& group, const std::string& prefix) {
    for (const std::string& name : group.attribute_names()) store(prefix + name, group.attribute(name));
    for (const hdf5::Group::Member& member : group.members()) {
      const std::string path = prefix + member.name;
      if (member.is_group) {
        read(group.open_group(member.name), path + "/");
      } else {
        read_tensor(group.open_dataset(member.name), path);
      }
    }
  }

 private:
  void store(const std::string& path, hdf5::Scalar value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      out_.integers[path] = *integer;
    } else if (const auto* real = std::get_if<double>(&value)) {
      out_.reals[path] = *real;
    } else {
      out_.texts[path] = std::move(std::get<std::string>(value));
    }
  }

  void read_tensor(const hdf5::Dataset& dataset, const std::string& path) {
    if (dataset.dtype() != DType::fp32) {
      throw FormatError(path_, path, fmt::format("expected fp32, found {}", name_of(dataset.dtype())));
    }
    Tensor values(dataset.shape(), DType::fp32, MemoryKind::checkpoint);
    if (values.elements() > 0) dataset.read(values.raw());
    const std::int64_t found = crc32c(values.raw(), values.bytes());
    const std::int64_t expected = std::get<std::int64_t>(dataset.attribute(kCrcAttribute));
    if (found != expected) {
      throw FormatError(path_, path, fmt::format("expected CRC32C {:08x}, found {:08x}", expected, found));
    }
    out_.tensors.push_back({path, values});
  }

  const std::string& path_;
  Checkpoint& out_;
};

}  // namespace

Checkpoint read(const std::string& path) {
  verify_user_block(path);
  Checkpoint checkpoint;
  const hdf5::File file = hdf5::File::open(path);
  TreeReader(path, checkpoint).read(file.root(), "");
  return checkpoint;
}

}  // namespace mpdist::checkpoint
