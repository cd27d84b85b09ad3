// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace mpdist::data {

/// The bytes of a file from first to last, inflated on the way where its name ends in .gz.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills `out` as far as the data goes and returns how many bytes that were; less than asked only at the end. Throws
  /// FormatError where compressed data is damaged or stops in the middle.
  virtual std::size_t read(std::span<std::uint8_t> out) = 0;
  /// No more than this many bytes can follow from the start: refuses absurd extents before memory is asked for.
  virtual std::uint64_t most_bytes() const = 0;

  /// Throws UsageError where the file cannot be read.
  static std::unique_ptr<ByteSource> open(const std::string& path);
};

}  // namespace mpdist::data
