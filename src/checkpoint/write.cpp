// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "src/checkpoint/crc32c.hpp"
#include "src/checkpoint/layout.hpp"
#include "src/checkpoint/posix_file.hpp"
#include "src/checkpoint/temporary_file.hpp"

namespace mpdist::checkpoint {
namespace {

/// Walks the file once in its own order: elements are written from memory, what HDF5 wrote between them is read back;
/// both go into the CRC.
class BodyPass {
 public:
  explicit BodyPass(PosixFile& file) : file_(file), position_(kUserBlockBytes) {}

  void read_up_to(std::uint64_t end) {
    std::vector<char> buffer(std::min<std::uint64_t>(end - position_, kSlabBytes));
    while (position_ < end) {
      const std::size_t bytes = std::min<std::uint64_t>(end - position_, kSlabBytes);
      file_.read(buffer.data(), bytes, position_);
      advance(buffer.data(), bytes);
    }
  }

  void write(const Tensor& tensor) {
    const auto* next = static_cast<const char*>(tensor.raw());
    for (std::size_t left = tensor.bytes(); left > 0;) {
      const std::size_t bytes = std::min(left, kSlabBytes);
      file_.write(next, bytes, position_);
      advance(next, bytes);
      next += bytes;
      left -= bytes;
    }
  }

  std::uint32_t crc() const { return crc_; }

 private:
  void advance(const char* data, std::size_t bytes) {
    crc_ = crc32c(data, bytes, crc_);
    position_ += bytes;
  }

  PosixFile& file_;
  std::uint64_t position_;
  std::uint32_t crc_ = 0;
};

}  // namespace

void write(const std::string& path, const Checkpoint& checkpoint) {
  TemporaryFile temporary(path);
  const std::vector<TensorExtent> extents = write_layout(temporary.name(), checkpoint);
  PosixFile file(temporary.name(), PosixFile::Mode::write);
  const std::uint64_t size = file.size();
  BodyPass pass(file);
  for (const TensorExtent& extent : extents) {
    pass.read_up_to(extent.offset);
    pass.write(extent.tensor->values);
  }
  pass.read_up_to(size);
  const auto block = user_block(size - kUserBlockBytes, pass.crc());
  file.write(block.data(), block.size(), 0);
  file.sync();
  temporary.commit();
}

}  // namespace mpdist::checkpoint
