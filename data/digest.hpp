// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "data/dataset.hpp"

namespace mpdist::data {

inline constexpr std::int64_t kDigestBlocks = 64;
inline constexpr std::int64_t kDigestBlockRows = 8;

/// What Dataset::digest returns: a 64-bit hash of `name` (format and part), image shape, number of classes, size, all
/// labels and kDigestBlocks keyed blocks of `block_rows` consecutive images (all images where there are fewer).
std::uint64_t digest_of(const Dataset& dataset, std::string_view name, std::int64_t block_rows = kDigestBlockRows);

}  // namespace mpdist::data
