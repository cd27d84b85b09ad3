// SPDX-License-Identifier: Apache-2.0
#include "kernels/tensor_cores.hpp"

#include <gtest/gtest.h>

namespace mpdist::kernels {
namespace {

TEST(TensorCores, LinearLayersNeedWholeSixteenBytesForFullUse) {
  for (DType type : {DType::fp16, DType::bf16}) {
    EXPECT_EQ(tensor_cores_of_linear(type, 784, 128), TensorCores::full);
    EXPECT_EQ(tensor_cores_of_linear(type, 784, 10), TensorCores::padded);
    EXPECT_EQ(tensor_cores_of_linear(type, 27, 64), TensorCores::padded);
  }
  EXPECT_EQ(tensor_cores_of_linear(DType::fp32, 784, 128), TensorCores::none);
}

TEST(TensorCores, ConvolutionsCountTheChannelsOfAGroup) {
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp16, 64, 64, 1), TensorCores::full);
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp16, 3, 64, 1), TensorCores::padded);
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp16, 128, 128, 32), TensorCores::padded);
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp16, 256, 256, 32), TensorCores::full);
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp16, 64, 64, 64), TensorCores::none);
  EXPECT_EQ(tensor_cores_of_convolution(DType::fp32, 64, 64, 1), TensorCores::none);
}

}  // namespace
}  // namespace mpdist::kernels
