// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/conv2d.hpp"
#include "kernels/cuda/cudnn.hpp"
#include "kernels/scratch.hpp"

/// The passes of a convolution on a GPU, each by the way that the library offers for its shape: found out once and
/// remembered (cudnn::find_plan). Arrays are 16-byte aligned. In conv2d.cu.
namespace mpdist::kernels::cuda {

/// What the passes share.
struct ConvolutionOperands {
  Shape x, weight;  ///< as in conv2d.hpp
  DType type;
  Conv2dGeometry geometry;

  ConvolutionOperands(const Tensor& input, const Tensor& filter, const Conv2dGeometry& strided)
      : x(input.shape()), weight(filter.shape()), type(input.dtype()), geometry(strided) {}
  cudnn::ConvolutionShape shape(cudnn::ConvolutionPass pass) const;
  std::int64_t out_height() const { return geometry.output_extent(x[1], weight[1]); }
  std::int64_t out_width() const { return geometry.output_extent(x[2], weight[2]); }
  std::int64_t places() const { return x[0] * out_height() * out_width(); }  ///< of y
};

/// y = conv(x, weight) + bias, then ReLU, rounded once: one graph where an engine takes it and keeps NaN; else ReLU in
/// a pass of its own, and the bias as what the convolution adds to.
class ForwardConvolution {
 public:
  ForwardConvolution(const ConvolutionOperands& operands, bool bias, bool relu);
  std::size_t workspace_bytes() const { return plan_->workspace_bytes(); }
  void run(const Stream& stream, cudnn::ConvolutionArrays arrays) const;
  bool is_relu_left() const { return relu_left_; }  ///< to the caller

 private:
  ConvolutionOperands operands_;
  bool bias_first_ = false, relu_left_ = false;
  const cudnn::ConvolutionPlan* plan_ = nullptr;
};

/// dx = conv backward (dy, weight), rounded once.
const cudnn::ConvolutionPlan& data_plan(const ConvolutionOperands& operands);

/// dweight = conv backward (dy, x) in FP32: cuDNN where it has an engine that writes FP32; else the images' columns
/// (the places of x under each output) gathered in chunks, times dy by cuBLASLt.
class WeightConvolution {
 public:
  /// Reserves its part of `scratch`, which is opened before run().
  WeightConvolution(const ConvolutionOperands& operands, bool accumulate, Scratch& scratch);
  /// What it needs beside that, from the same workspace.
  std::size_t library_bytes() const;
  void run(Stream& stream, const void* x, const void* dy, float* dweight, void* library) const;

 private:
  void run_columns(const Stream& stream, const void* x, const void* dy, float* dweight, void* library) const;

  ConvolutionOperands operands_;
  bool accumulate_;
  const Scratch& scratch_;
  const cudnn::ConvolutionPlan* plan_;  ///< null: by columns
  std::size_t columns_ = 0, sum_ = 0;
};

}  // namespace mpdist::kernels::cuda
