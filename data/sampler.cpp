// SPDX-License-Identifier: Apache-2.0
#include "data/sampler.hpp"

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

}  // namespace

Sampler::Sampler(std::int64_t n, std::uint64_t seed) : n_(n), seed_(seed) {
  require(n >= 1 && n < std::int64_t{1} << 48, "sampler over {} samples: expected 1 to 2^48-1", n);
}

Sampler::Place Sampler::at(std::int64_t position) const {
  const std::int64_t epoch = position / n_;
  const RandomKey key{.seed = seed_, .operation = hash_name("data.shuffle"), .time = static_cast<std::uint32_t>(epoch)};
  const auto n = static_cast<std::uint64_t>(n_);
  const Feistel permute(std::bit_width(n - 1), key.words(0, 0));
  auto index = static_cast<std::uint64_t>(position % n_);
  do {  // the walk from a value below n comes back below n, each start to its own end
    index = permute(index);
  } while (index >= n);
  return {.epoch = epoch, .index = static_cast<std::int64_t>(index)};
}

}  // namespace mpdist::data
