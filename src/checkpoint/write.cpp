// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "src/checkpoint/crc32c.hpp"
#include "src/checkpoint/layout.hpp"
#include "src/checkpoint/posix_file.hpp"
#include "src/checkpoint/temporary_file.hpp"

namespace mpdist::checkpoint {
namespace {

/// Writes the body once from front to back: elements from the tensors, what lies between them from HDF5's file in
/// memory; all of it goes into the CRC on its way.
class BodyPass {
 public:
  BodyPass(const hdf5::SparseMemory& metadata, PosixFile& out) : metadata_(metadata), out_(out) {}

  void copy_up_to(std::uint64_t end) {
    std::vector<char> buffer(std::min<std::uint64_t>(end - position_, kSlabBytes));
    while (position_ < end) {
      const std::size_t bytes = std::min<std::uint64_t>(end - position_, buffer.size());
      metadata_.read(position_, buffer.data(), bytes);
      append(buffer.data(), bytes);
    }
  }

  void append(const Tensor& tensor) {
    const auto* elements = static_cast<const char*>(tensor.raw());
    for (std::size_t begin = 0; begin < tensor.bytes(); begin += kSlabBytes) {
      append(elements + begin, std::min(tensor.bytes() - begin, kSlabBytes));
    }
  }

  std::uint32_t crc() const { return crc_; }

 private:
  void append(const char* data, std::size_t bytes) {
    out_.write(data, bytes, position_);
    crc_ = crc32c(data, bytes, crc_);
    position_ += bytes;
  }

  const hdf5::SparseMemory& metadata_;
  PosixFile& out_;
  std::uint64_t position_ = kUserBlockBytes;
  std::uint32_t crc_ = 0;
};

}  // namespace

void write(const std::string& path, const Checkpoint& checkpoint) {
  const Layout layout = make_layout(checkpoint);
  const std::uint64_t size = layout.file.size();
  TemporaryFile temporary(path);
  PosixFile file(temporary.name(), PosixFile::Mode::create);
  file.reserve(size);
  BodyPass pass(layout.file, file);
  for (const TensorExtent& extent : layout.extents) {
    pass.copy_up_to(extent.offset);
    pass.append(extent.tensor->values);
  }
  pass.copy_up_to(size);
  const auto block = user_block(size - kUserBlockBytes, pass.crc());
  file.write(block.data(), block.size(), 0);
  file.sync();
  temporary.commit();
}

}  // namespace mpdist::checkpoint
