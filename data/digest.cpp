// SPDX-License-Identifier: Apache-2.0
#include "data/digest.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "src/core/philox.hpp"

namespace mpdist::data {
std::uint64_t digest_of(const Dataset& dataset, std::string_view name, std::int64_t block_rows) {
  Hash hash(hash_name(name));
  const std::int64_t n = dataset.size();
  for (std::int64_t extent : dataset.image_shape()) hash.add(static_cast<std::uint64_t>(extent));
  hash.add(static_cast<std::uint64_t>(dataset.classes()));
  hash.add(static_cast<std::uint64_t>(n));
  for (std::int64_t i = 0; i < n; ++i) hash.add(static_cast<std::uint32_t>(dataset.label(i)));

  std::vector<float> image(static_cast<std::size_t>(dataset.image_shape().elements()));
  const RandomKey key{.operation = hash_name("data.digest")};
  const std::int64_t blocks = (n + block_rows - 1) / block_rows;
  for (std::int64_t b = 0; b < std::min(blocks, kDigestBlocks); ++b) {
    const std::uint64_t word = key.words(static_cast<std::uint64_t>(b), 0)[0];
    const auto drawn = static_cast<std::int64_t>((word * static_cast<std::uint64_t>(blocks)) >> 32);
    const std::int64_t first = block_rows * (blocks <= kDigestBlocks ? b : drawn);
    for (std::int64_t i = first; i < std::min(n, first + block_rows); ++i) {
      dataset.read(i, image);
      for (float value : image) hash.add(std::bit_cast<std::uint32_t>(value));
    }
  }
  return hash.value();
}

}  // namespace mpdist::data
