// SPDX-License-Identifier: Apache-2.0
#include "kernels/concat.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

TEST(Concat, PutsPartsSideBySideByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor a({2, 1}, DType::fp16), b({2, 2}, DType::fp16), whole({2, 3}, DType::fp16);
  set_values(a, {1, 2});
  set_values(b, {3, std::numeric_limits<float>::quiet_NaN(), 5, 0x1p-24F});
  concat_forward(stream, {.part = a, .whole = whole, .first = 0});
  concat_forward(stream, {.part = b, .whole = whole, .first = 1});
  EXPECT_TRUE(is_close(whole, {1, 3, NAN, 2, 5, 0x1p-24}));
}

/// Every type, odd sizes, misaligned: the parts come back as they went in, and nothing else is touched.
TEST(Concat, BackwardIsTheInverseOfForward) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType type, std::int64_t channels, std::int64_t misalignment) {
    const std::int64_t others = channels == 1000 ? 24 : 5;  // rows of 16 bytes, and of any number
    const GuardedTensor a = uniform_tensor({3, 2, channels}, type, 1, misalignment),
                        b = uniform_tensor({3, 2, others}, type, 2);
    const GuardedTensor whole({3, 2, channels + others}, type, misalignment);
    concat_forward(stream, {.part = b, .whole = whole, .first = channels});
    concat_forward(stream, {.part = a, .whole = whole, .first = 0});
    EXPECT_TRUE(whole.intact());
    EXPECT_EQ(value_at(whole, channels + others), value_at(a, channels)) << "second row, first channel";
    const GuardedTensor da({3, 2, channels}, type, misalignment), db({3, 2, others}, type);
    concat_backward(stream, {.dwhole = whole, .dpart = da, .first = 0});
    concat_backward(stream, {.dwhole = whole, .dpart = db, .first = channels});
    EXPECT_EQ(values_of(da), values_of(a));
    EXPECT_EQ(values_of(db), values_of(b));
    EXPECT_TRUE(da.intact() && db.intact());
  });
}

TEST(Concat, RefusesWhatDoesNotFit) {
  Stream& stream = stream_under_test();
  const GuardedTensor part({2, 3}, DType::fp16), whole({2, 4}, DType::fp16), rows({3, 4}, DType::fp16),
      type({2, 4}, DType::bf16);
  EXPECT_THROW(concat_forward(stream, {.part = part, .whole = whole, .first = 2}), InvalidArgument);
  EXPECT_THROW(concat_forward(stream, {.part = part, .whole = whole, .first = -1}), InvalidArgument);
  EXPECT_THROW(concat_forward(stream, {.part = part, .whole = rows}), InvalidArgument);
  EXPECT_THROW(concat_backward(stream, {.dwhole = type, .dpart = part}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
