// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace mpdist::checkpoint {

/// Throws for errno `code` of `call` on `path`: Error(retry) when the disk, the quota or the file size limit is
/// exhausted, LibraryError otherwise.
[[noreturn]] void throw_system_error(const std::string& call, const std::string& path, int code);

/// An open file with checked calls; closed when destroyed.
class PosixFile {
 public:
  enum class Mode { read, create };  ///< an existing file; a new one
  PosixFile(std::string path, Mode mode);
  ~PosixFile();
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  std::uint64_t size() const;
  void write(const void* data, std::size_t bytes, std::uint64_t offset);
  /// Reads exactly `bytes`; a file that ends before is an error.
  void read(void* data, std::size_t bytes, std::uint64_t offset) const;
  /// Reserves disk space for the first `bytes` without changing the file's size, so that a full disk shows before
  /// anything is written. Does nothing on file systems that cannot reserve.
  void reserve(std::uint64_t bytes);
  void sync();

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// Makes a rename or removal in `folder` survive a power failure.
void sync_folder(const std::string& folder);

/// The folder part of a path; "." when it has none.
std::string folder_of(const std::string& path);

}  // namespace mpdist::checkpoint
