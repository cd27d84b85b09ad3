// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/crc32c.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace mpdist::checkpoint {
namespace {

/// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
TEST(Crc32c, GivesTheKnownAnswers) {
  std::vector<unsigned char> ascending(32);
  for (unsigned char i = 0; i < 32; ++i) ascending[i] = i;
  const std::vector<unsigned char> zeros(32, 0), ones(32, 0xff);
  for (const auto function : {crc32c, crc32c_software}) {
    EXPECT_EQ(function("123456789", 9, 0), 0xE3069283u);
    EXPECT_EQ(function(zeros.data(), 32, 0), 0x8A9136AAu);
    EXPECT_EQ(function(ones.data(), 32, 0), 0x62A8AB43u);
    EXPECT_EQ(function(ascending.data(), 32, 0), 0x46DD794Eu);
    EXPECT_EQ(function("", 0, 0), 0u);
  }
}

TEST(Crc32c, ContinuesAtEveryCutAndAlignment) {
  const std::string_view text = "the same bits at any number of ranks, and in any number of pieces";
  for (std::size_t begin = 0; begin < 8; ++begin) {
    const std::string_view part = text.substr(begin);
    const std::uint32_t whole = crc32c_software(part.data(), part.size());
    for (std::size_t cut = 0; cut <= part.size(); ++cut) {
      EXPECT_EQ(crc32c(part.data() + cut, part.size() - cut, crc32c(part.data(), cut)), whole) << begin << " " << cut;
    }
  }
}

}  // namespace
}  // namespace mpdist::checkpoint
