// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "src/core/error.hpp"

namespace mpdist::checkpoint {

void throw_system_error(const std::string& call, const std::string& path, int code) {
  const std::string reason = std::generic_category().message(code);
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    throw Error(ExitCode::retry,
                fmt::format("{}: no room for the checkpoint: {} ({}); free space or choose another run.output",
                            folder_of(path), reason, call));
  }
  throw LibraryError("libc", call + " " + path, reason);
}

PosixFile::PosixFile(std::string path, Mode mode) : path_(std::move(path)) {
  const int flags = mode == Mode::read ? O_RDONLY : O_RDWR | O_CREAT | O_EXCL;
  descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw_system_error("open", path_, errno);
}

PosixFile::~PosixFile() {
  ::close(descriptor_);
}

std::uint64_t PosixFile::size() const {
  struct stat status;
  if (fstat(descriptor_, &status) != 0) throw_system_error("fstat", path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void PosixFile::write(const void* data, std::size_t bytes, std::uint64_t offset) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_system_error("pwrite", path_, errno);
    next += written;
    offset += static_cast<std::uint64_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
}

void PosixFile::read(void* data, std::size_t bytes, std::uint64_t offset) const {
  auto* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error("pread", path_, errno);
    if (got == 0)
      throw FormatError(path_, fmt::format("offset {}", offset), fmt::format("the file ends {} bytes early", bytes));
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

void PosixFile::reserve(std::uint64_t bytes) {
  while (fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return;
    throw_system_error("fallocate", path_, errno);
  }
}

void PosixFile::sync() {
  while (fsync(descriptor_) != 0) {
    if (errno != EINTR) throw_system_error("fsync", path_, errno);
  }
}

void sync_folder(const std::string& folder) {
  PosixFile(folder, PosixFile::Mode::read).sync();
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace mpdist::checkpoint
