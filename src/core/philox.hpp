// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace mpdist {

/// 64-bit FNV-1a, the hash of names in random keys.
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four 32-bit words from a
/// 128-bit counter and a 64-bit key. Stateless: the same key and counter give the same words on every rank, thread and
/// device.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// Identity of one random draw. Never a rank: the draw belongs to the data.
///   key     = (seed, hash of the operation's name) folded to 64 bits
///   counter = (time: attempted step or epoch) (item: position in the global batch or data index) (element)
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t operation = 0;  ///< hash_name of the operation
  std::uint32_t time = 0;       ///< attempted step, or epoch for augmentation

  constexpr std::array<std::uint32_t, 2> key() const {
    std::uint64_t mixed = seed * 0x9E3779B97F4A7C15u ^ operation;
    mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93u;
    mixed ^= mixed >> 32;
    return {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
  }

  /// Words for elements 4*group .. 4*group+3 of one item. item < 2^48 (its upper 16 bits share a word with group's).
  constexpr std::array<std::uint32_t, 4> words(std::uint64_t item, std::uint64_t group) const {
    return philox({static_cast<std::uint32_t>(group), static_cast<std::uint32_t>(item),
                   static_cast<std::uint32_t>(item >> 32) ^ static_cast<std::uint32_t>((group >> 32) << 16), time},
                  key());
  }
};

/// Uniform in [0, 1): the upper 24 bits, so that the float is exact.
constexpr float uniform(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

}  // namespace mpdist
