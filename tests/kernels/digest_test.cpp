// SPDX-License-Identifier: Apache-2.0
#include "kernels/digest.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

std::uint64_t digest_of(const Tensor& tensor, std::uint64_t first_index = 0) {
  Stream& stream = stream_under_test();
  const HostValue<std::uint64_t> result(stream);
  digest(stream, {.tensor = tensor, .first_index = first_index, .digest = result.data()});
  return arrived(result);
}

TEST(Digest, MixIsSplitmixAndADigestIsItsSum) {
  static_assert(mix(0, 0) == 0xE220A8397B1DCDAFu, "first output of splitmix64 seeded with 0");
  const GuardedTensor tensor({2}, DType::fp16);
  set_values(tensor, {1.0F, -2.0F});
  EXPECT_EQ(digest_of(tensor, 7), mix(0x3c00, 7) + mix(0xc000, 8));
}

TEST(Digest, EveryTypeAndSizeIsTheSumOfMixes) {
  for (DType type : {DType::fp32, DType::fp16, DType::bf16, DType::fp64, DType::int32, DType::int64, DType::uint8}) {
    for (std::int64_t size : {1, 31, 33, 1000, 9001}) {
      for (std::int64_t misalignment : kMisalignments) {
        const GuardedTensor tensor({size}, type, misalignment);
        std::uint64_t expected = 0;
        overwrite(tensor, [&](const Tensor& host) {
          auto* bytes = static_cast<unsigned char*>(host.raw());
          for (std::size_t i = 0; i < host.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 37 + i / 251);
          for (std::int64_t i = 0; i < size; ++i) {
            std::uint64_t bits = 0;
            std::memcpy(&bits, bytes + static_cast<std::size_t>(i) * size_of(type), size_of(type));
            expected += mix(bits, 5 + static_cast<std::uint64_t>(i));
          }
        });
        EXPECT_EQ(digest_of(tensor, 5), expected) << name_of(type) << " " << size;
      }
    }
  }
}

TEST(Digest, SeesEveryFlippedBitAndEverySwap) {
  const GuardedTensor tensor = uniform_tensor({40}, DType::fp32, 3);
  const std::uint64_t original = digest_of(tensor);
  const Tensor host = host_copy(tensor);
  auto* words = static_cast<std::uint32_t*>(host.raw());
  const auto changed = [&] {
    assign(tensor, host);
    return digest_of(tensor);
  };
  for (int i = 0; i < 40; ++i) {
    for (int bit = 0; bit < 32; ++bit) {
      words[i] ^= 1u << bit;
      EXPECT_NE(changed(), original) << i << " " << bit;
      words[i] ^= 1u << bit;
    }
    for (int j = 0; j < i; ++j) {
      std::swap(words[i], words[j]);
      EXPECT_NE(changed(), original) << i << " " << j;
      std::swap(words[i], words[j]);
    }
  }
  assign(tensor, host);
  EXPECT_EQ(digest_of(tensor), original);
}

TEST(Digest, SlicesAddUp) {
  const GuardedTensor tensor = uniform_tensor({1000}, DType::bf16, 3);
  const Tensor& all = tensor;
  EXPECT_EQ(digest_of(all), digest_of(all.rows(0, 333)) + digest_of(all.rows(333, 1000), 333));
}

}  // namespace
}  // namespace mpdist::kernels
