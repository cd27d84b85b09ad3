// SPDX-License-Identifier: Apache-2.0
#include "src/core/tensor.hpp"

#include <gtest/gtest.h>

namespace mpdist {
namespace {

TEST(Shape, KnowsItsExtents) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.to_string(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.elements(), 1) << "a scalar";
  EXPECT_EQ((Shape{5, 0}).elements(), 0);
}

TEST(Shape, ComparesRankAndExtents) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
}

TEST(Shape, RefusesNegativeExtentsAndTooManyOfThem) {
  EXPECT_THROW((Shape{2, -1}), InvalidArgument);
  EXPECT_NO_THROW((Shape{1, 1, 1, 1, 1, 1}));
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), InvalidArgument);
}

TEST(Tensor, IsAlignedAndSized) {
  const Tensor tensor({3, 5}, DType::fp16, MemoryKind::workspace);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0u);
  EXPECT_EQ(tensor.bytes(), 30u);
  EXPECT_FALSE(Tensor());
  EXPECT_TRUE(tensor);
}

TEST(Tensor, RefusesTheWrongElementType) {
  const Tensor tensor({4}, DType::fp32, MemoryKind::workspace);
  EXPECT_NO_THROW(tensor.data<float>());
  EXPECT_THROW(tensor.data<half>(), InvalidArgument);
}

TEST(Tensor, RowsAndReshapedAreViews) {
  const Tensor tensor({4, 2, 3}, DType::int32, MemoryKind::workspace);
  for (std::int32_t i = 0; i < 24; ++i) tensor.data<std::int32_t>()[i] = i;
  const Tensor middle = tensor.rows(1, 3);
  EXPECT_EQ(middle.shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(middle.data<std::int32_t>()[0], 6);
  middle.data<std::int32_t>()[0] = -1;
  EXPECT_EQ(tensor.reshaped({24}).data<std::int32_t>()[6], -1);
  EXPECT_EQ(tensor.rows(4, 4).elements(), 0);
  EXPECT_THROW(tensor.rows(3, 5), InvalidArgument);
  EXPECT_THROW(tensor.rows(2, 1), InvalidArgument);
  EXPECT_THROW(tensor.reshaped({23}), InvalidArgument);
}

TEST(Tensor, AViewKeepsTheMemoryAlive) {
  Pool pool;
  Tensor row;
  {
    const Tensor tensor({4, 8}, DType::fp32, MemoryKind::data, pool);
    row = tensor.rows(1, 2);
  }
  EXPECT_EQ(pool.use().now[static_cast<int>(MemoryKind::data)], 4 * 8 * 4);
  row = Tensor();
  EXPECT_EQ(pool.use().now[static_cast<int>(MemoryKind::data)], 0);
}

}  // namespace
}  // namespace mpdist
