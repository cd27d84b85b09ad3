// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "src/core/tensor.hpp"

namespace mpdist::data {

/// Reads one IDX file of bytes with `rank` extents, plain or (name ends in .gz) gzip-compressed, whole: uint8 of the
/// extents in its header. Throws FormatError naming file, field, what was expected and what was found: magic, extents,
/// file too short or too long, damaged compression; UsageError where the file cannot be read.
Tensor read_idx_file(const std::string& path, int rank);

}  // namespace mpdist::data
