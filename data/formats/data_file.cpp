// SPDX-License-Identifier: Apache-2.0
#include "data/formats/data_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

std::string reason(int code) {
  return std::generic_category().message(code);
}

}  // namespace

DataFile::DataFile(std::string path) : path_(std::move(path)), descriptor_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw FormatError(path_, "file", "cannot be opened: " + reason(errno));
}

DataFile::~DataFile() {
  close(descriptor_);
}

std::uint64_t DataFile::size() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) throw FormatError(path_, "size", reason(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

void DataFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = pread(descriptor_, out.data() + done, std::min(out.size() - done, std::size_t{1} << 30),
                                static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw FormatError(path_, fmt::format("byte {}", offset + done), reason(errno));
    if (count == 0) {
      throw FormatError(path_, fmt::format("byte {}", offset + done),
                        fmt::format("expected {} more bytes, found the end: the file is cut short", out.size() - done));
    }
    done += static_cast<std::size_t>(count);
  }
}

void read_whole(const std::string& path, std::vector<std::byte>& bytes) {
  const DataFile file(path);
  bytes.resize(file.size());
  file.read(0, bytes);
}

}  // namespace mpdist::data
