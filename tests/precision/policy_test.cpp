// SPDX-License-Identifier: Apache-2.0
#include "src/precision/policy.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

using enum OperationClass;

constexpr DType kTypes[] = {DType::fp16, DType::bf16, DType::fp32};

TEST(Policy, ProductsRunInTheComputeType) {
  for (DType compute : kTypes) {
    for (OperationClass operation : {matmul, convolution, recurrent, embedding, attention, activation}) {
      EXPECT_EQ(Policy{compute}.operation_type(operation), compute) << static_cast<int>(operation);
      EXPECT_EQ(Policy{compute}.result_type(operation), compute) << static_cast<int>(operation);
    }
  }
}

TEST(Policy, SensitiveOperationsRunInFp32AndStoreTheComputeType) {
  for (DType compute : kTypes) {
    for (OperationClass operation : {softmax, norm, reduction, transcendental}) {
      EXPECT_EQ(Policy{compute}.operation_type(operation), DType::fp32) << static_cast<int>(operation);
      EXPECT_EQ(Policy{compute}.result_type(operation), compute) << static_cast<int>(operation);
    }
  }
}

TEST(Policy, LossesStayInFp32) {
  for (DType compute : kTypes) {
    EXPECT_EQ(Policy{compute}.operation_type(loss), DType::fp32);
    EXPECT_EQ(Policy{compute}.result_type(loss), DType::fp32);
  }
}

TEST(Policy, AddAndConcatenateTakeTheWidestInput) {
  EXPECT_EQ(Policy::widest({DType::fp16, DType::fp16}), DType::fp16);
  EXPECT_EQ(Policy::widest({DType::bf16}), DType::bf16);
  EXPECT_EQ(Policy::widest({DType::fp16, DType::fp32, DType::fp16}), DType::fp32);
  EXPECT_EQ(Policy::widest({DType::fp16, DType::bf16}), DType::fp32);
  EXPECT_EQ(Policy::widest({DType::bf16, DType::fp16, DType::bf16}), DType::fp32);
  EXPECT_THROW(Policy::widest({}), InvalidArgument);
  EXPECT_THROW(Policy::widest({DType::fp16, DType::int32}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::precision
