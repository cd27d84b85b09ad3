// SPDX-License-Identifier: Apache-2.0
#include "data/sampler.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "src/core/error.hpp"
#include "src/core/philox.hpp"

namespace mpdist::data {
namespace {

/// Few bits mix slowly: over the 120 orders of five samples, chi squared (119 is perfect) is 1987 after 8 rounds, 323
/// after 12 and within the noise from 16.
constexpr std::uint32_t rounds_for(int bits) {
  return bits <= 8 ? 24 : 8;
}

/// One permutation of [0, 2^bits): a Feistel network on the lower and the upper bits, which differ by one in number
/// when `bits` is odd. Each round changes one part by a function of the other, so any round function makes it a
/// bijection.
class Feistel {
 public:
  Feistel(int bits, std::array<std::uint32_t, 4> key)
      : lower_bits_((bits + 1) / 2),
        lower_mask_((std::uint64_t{1} << lower_bits_) - 1),
        upper_mask_((std::uint64_t{1} << (bits / 2)) - 1),
        rounds_(rounds_for(bits)),
        key_(key) {}

  std::uint64_t operator()(std::uint64_t value) const {
    std::uint64_t upper = value >> lower_bits_, lower = value & lower_mask_;
    for (std::uint32_t round = 0; round < rounds_; round += 2) {
      upper ^= mix(lower, round) & upper_mask_;
      lower ^= mix(upper, round + 1) & lower_mask_;
    }
    return upper << lower_bits_ | lower;
  }

  std::uint64_t inverse(std::uint64_t value) const {
    std::uint64_t upper = value >> lower_bits_, lower = value & lower_mask_;
    for (std::uint32_t round = rounds_; round > 0; round -= 2) {
      lower ^= mix(upper, round - 1) & lower_mask_;
      upper ^= mix(lower, round - 2) & upper_mask_;
    }
    return upper << lower_bits_ | lower;
  }

 private:
  /// The finalizer of SplitMix64 (Steele, Lea & Flood 2014) of value and round key: weaker mixing shows in small sets.
  std::uint64_t mix(std::uint64_t value, std::uint32_t round) const {
    const std::uint64_t round_key = std::uint64_t{key_[round & 3]} << 32 | key_[(round + 1) & 3];
    std::uint64_t z = (round_key ^ value) + (round + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  int lower_bits_;
  std::uint64_t lower_mask_, upper_mask_;
  std::uint32_t rounds_;
  std::array<std::uint32_t, 4> key_;
};

/// A permutation of [0, n) by cycle walking: the walk from a value below n comes back below n, each start to its own
/// end.
class Permutation {
 public:
  Permutation(std::int64_t n, std::array<std::uint32_t, 4> key)
      : n_(static_cast<std::uint64_t>(n)), feistel_(std::bit_width(n_ - 1), key) {}

  std::int64_t operator()(std::int64_t value) const {
    auto walk = static_cast<std::uint64_t>(value);
    do {
      walk = feistel_(walk);
    } while (walk >= n_);
    return static_cast<std::int64_t>(walk);
  }

  std::int64_t inverse(std::int64_t value) const {
    auto walk = static_cast<std::uint64_t>(value);
    do {
      walk = feistel_.inverse(walk);
    } while (walk >= n_);
    return static_cast<std::int64_t>(walk);
  }

 private:
  std::uint64_t n_;
  Feistel feistel_;
};

}  // namespace

Sampler::Sampler(std::int64_t n, std::uint64_t seed, Blocks blocks) : n_(n), seed_(seed), blocks_(blocks) {
  require(n >= 1 && n < std::int64_t{1} << 48, "sampler over {} samples: expected 1 to 2^48-1", n);
  require(blocks.rows >= 1 && blocks.mixed >= 1, "sampler by blocks of {} samples, {} mixed: expected at least 1",
          blocks.rows, blocks.mixed);
}

Sampler::Place Sampler::at(std::int64_t position) const {
  const std::int64_t epoch = position / n_, place = position % n_;
  const auto time = static_cast<std::uint32_t>(epoch);
  if (blocks_.rows > 1) return {.epoch = epoch, .index = by_blocks(place, time)};
  const RandomKey key{.seed = seed_, .operation = hash_name("data.shuffle"), .time = time};
  return {.epoch = epoch, .index = Permutation(n_, key.words(0, 0))(place)};
}

/// Places count images in the order of the permuted blocks. All blocks have `rows` images but the last of the file,
/// which stands somewhere in that order (`shorter`): behind it, places are `missing` less than whole blocks would give.
std::int64_t Sampler::by_blocks(std::int64_t place, std::uint32_t epoch) const {
  const std::int64_t rows = blocks_.rows, count = (n_ + rows - 1) / rows, missing = count * rows - n_;
  RandomKey key{.seed = seed_, .operation = hash_name("data.shuffle.blocks"), .time = epoch};
  const Permutation order(count, key.words(0, 0));
  const std::int64_t shorter = order.inverse(count - 1);
  const auto whole = [&](std::int64_t p) { return p < (shorter + 1) * rows - missing ? p : p + missing; };
  const auto begin_of = [&](std::int64_t block) { return block * rows - (block > shorter ? missing : 0); };

  const std::int64_t window = whole(place) / rows / blocks_.mixed;
  const std::int64_t begin = begin_of(window * blocks_.mixed);
  const std::int64_t end = begin_of(std::min(count, (window + 1) * blocks_.mixed));
  key.operation = hash_name("data.shuffle.window");
  const Permutation within(end - begin, key.words(static_cast<std::uint64_t>(window), 0));
  const std::int64_t drawn = whole(begin + within(place - begin));
  return order(drawn / rows) * rows + drawn % rows;
}

}  // namespace mpdist::data
