// SPDX-License-Identifier: Apache-2.0
#include "data/sampler.hpp"

#include <array>
#include <bit>

#include "src/core/error.hpp"
#include "src/core/philox.hpp"

namespace mpdist::data {
namespace {

constexpr int kRounds = 8;  // even, so that the halves end where they began

/// One permutation of [0, 4^half_bits): a balanced Feistel network. Any round function makes it a bijection.
class Feistel {
 public:
  Feistel(int half_bits, std::array<std::uint32_t, 4> key)
      : half_bits_(half_bits), mask_((std::uint64_t{1} << half_bits) - 1), key_(key) {}

  std::uint64_t operator()(std::uint64_t value) const {
    std::uint64_t left = value >> half_bits_, right = value & mask_;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed = left ^ (mix(right, round) & mask_);
      left = right;
      right = mixed;
    }
    return left << half_bits_ | right;
  }

 private:
  std::uint64_t mix(std::uint64_t value, std::uint32_t round) const {
    std::uint64_t h =
        (value ^ std::uint64_t{key_[round & 3]} << 32 ^ key_[(round + 1) & 3] ^ round) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93u;
    return h >> 32;
  }

  int half_bits_;
  std::uint64_t mask_;
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
  const int half_bits = (std::bit_width(n - 1) + 1) / 2;
  const Feistel permute(half_bits, key.words(0, 0));
  auto index = static_cast<std::uint64_t>(position % n_);
  do {  // the walk from a value below n comes back below n, each start to its own end
    index = permute(index);
  } while (index >= n);
  return {.epoch = epoch, .index = static_cast<std::int64_t>(index)};
}

}  // namespace mpdist::data
