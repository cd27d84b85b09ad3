// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace mpdist::data {

/// How a data set is written. What a format has no use for must be left out.
struct WriteOptions {
  std::string type = "auto";            ///< of images: "uint8" rounds to bytes, "fp32", or bytes where all are
  std::optional<std::int64_t> chunk;    ///< images a chunk; hdf5 alone
  std::optional<std::int64_t> deflate;  ///< level 1 to 9 of the chunks; hdf5 alone
};

/// One format that data sets can be written in; what is written reads back as the same bits (with type "uint8": as the
/// nearest bytes).
struct Writer {
  std::string name;
  bool folder = false;  ///< writes into an empty folder that is there, else a new file
  /// Throws UsageError where the data or the options do not fit the format.
  std::function<void(const Datasets& sets, const std::string& target, const WriteOptions& options)> write;
};

/// The plain table of writers; a new one is one line in writers.cpp.
const std::vector<Writer>& writers();

/// train/images, train/labels, test/images, test/labels: [n, h, w, c] in chunks of whole images, int32 labels.
void write_hdf5(const Datasets& sets, const std::string& path, const WriteOptions& options);
/// The four IDX files; images of one channel.
void write_idx(const Datasets& sets, const std::string& folder, const WriteOptions& options);
/// train/<class>/<index>.png and test/...; classes are named by number.
void write_images(const Datasets& sets, const std::string& folder, const WriteOptions& options);

/// out[i] = the byte nearest to 255 * values[i]; whether all were bytes exactly, as Dataset::read scales them.
bool to_bytes(std::span<const float> values, std::span<std::uint8_t> out);
/// Whether all images of both parts are bytes. Reads them.
bool all_bytes(const Datasets& sets);
/// For formats that hold bytes: throws UsageError unless the type is uint8 or all images are bytes, or where options of
/// hdf5 were given. `what` names the format.
void require_byte_options(const Datasets& sets, const WriteOptions& options, const std::string& what);

}  // namespace mpdist::data
