// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "src/core/dtype.hpp"
#include "src/core/stream.hpp"

/// The only door to cuDNN (9.1 or later): convolutions by its graph API. Plans are made once per thread and shape, by
/// the library's heuristic under a fixed workspace limit, never by timing or free memory. Only engines that sum plain
/// products in FP32 and in one order are taken: none that is nondeterministic, reduces in a narrower type, rounds its
/// inputs, or transforms (FFT, Winograd); for FP32 none on Tensor Cores (TF32). Failures are LibraryError.
namespace mpdist::kernels::cuda::cudnn {

enum class ConvolutionPass : unsigned char { forward, backward_data, backward_weights };

/// One pass of a convolution over NHWC images, as in conv2d.hpp. Arrays are 16-byte aligned.
struct ConvolutionShape {
  ConvolutionPass pass = ConvolutionPass::forward;
  DType operands = DType::fp32;
  DType result = DType::fp32;  ///< what the pass writes: the operands' type; backward_weights also fp32
  std::int64_t images = 0, height = 0, width = 0, in = 0, out = 0;
  std::int64_t kernel_height = 0, kernel_width = 0;
  std::int64_t stride = 1, padding = 0, groups = 1;
  bool bias = false, relu = false;  ///< forward: in the same graph, before the one rounding; ReLU keeps NaN
  bool accumulate = false;          ///< adds to what is there, before the one rounding; not with bias or relu
  auto operator<=>(const ConvolutionShape&) const = default;
};

struct ConvolutionArrays {
  const void* x = nullptr;  ///< the pass writes one of x, weight and y
  const void* weight = nullptr;
  const void* y = nullptr;
  const void* bias = nullptr;  ///< [out] of the operands' type
  void* workspace = nullptr;   ///< workspace_bytes(), of the stream
};

struct ConvolutionParts;  // holds cuDNN's objects, so that its headers stay in cudnn*.cpp

class ConvolutionPlan {
 public:
  explicit ConvolutionPlan(std::unique_ptr<ConvolutionParts> parts);
  ~ConvolutionPlan();
  std::size_t workspace_bytes() const;
  void run(const Stream& stream, const ConvolutionArrays& arrays) const;

 private:
  std::unique_ptr<ConvolutionParts> parts_;
};

/// This thread's plan for the shape, made on first use; null where the library has no engine that may be taken.
const ConvolutionPlan* find_plan(const ConvolutionShape& shape);

}  // namespace mpdist::kernels::cuda::cudnn
