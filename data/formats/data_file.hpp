// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mpdist::data {

/// A file that is open for reading at any place, from several threads at once.
class DataFile {
 public:
  /// Throws FormatError where it cannot be opened: that it is there has been seen before.
  explicit DataFile(std::string path);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const;
  /// Fills `out` from byte `offset` on. Throws FormatError where the file ends before or cannot be read.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// All bytes of a file into `bytes`, whose memory is used again.
void read_whole(const std::string& path, std::vector<std::byte>& bytes);

}  // namespace mpdist::data
