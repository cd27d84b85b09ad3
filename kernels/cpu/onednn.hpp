// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/core/dtype.hpp"

/// The only door to oneDNN (2.6 and 3.x): plans are made once per thread, shape and thread count, and run on raw
/// pointers. Failures are LibraryError. A plan is used by the thread that asked for it, never inside an OpenMP region
/// (it would wait for ever), and lives as long as that thread.
namespace mpdist::kernels::cpu::onednn {

/// Whether operands of this type are multiplied as they are. False: widen to FP32, where products of FP16 and BF16 are
/// exact. BF16 is emulated by oneDNN on processors without its instructions, slower than FP32, so it counts as false
/// there.
bool is_native(DType type);

/// c[rows, columns] = a[rows, depth] * b[depth, columns] (+ c), FP32 accumulation.
/// Leading dimensions count elements between rows as stored; a transposed operand is stored as its transpose.
struct MatmulShape {
  std::int64_t rows = 0, columns = 0, depth = 0;
  std::int64_t a_leading = 0, b_leading = 0, c_leading = 0;
  bool a_transposed = false, b_transposed = false;
  DType operands = DType::fp32;  ///< fp32, or bf16 where native
  DType result = DType::fp32;    ///< the operands' type or fp32
  bool accumulate = false;       ///< adds to c, which is FP32 then
  auto operator<=>(const MatmulShape&) const = default;
};

enum class ConvolutionPass : unsigned char { forward, backward_data, backward_weights };

/// One pass of a direct convolution (no Winograd: products of 16-bit operands stay exact) over NHWC images.
struct ConvolutionShape {
  ConvolutionPass pass = ConvolutionPass::forward;
  DType operands = DType::fp32;  ///< images and weights; weight gradients are FP32
  std::int64_t images = 0, height = 0, width = 0, in = 0, out = 0;
  std::int64_t kernel_height = 0, kernel_width = 0;
  std::int64_t stride = 1, padding = 0, groups = 1;
  bool bias = false;  ///< FP32, forward only
  auto operator<=>(const ConvolutionShape&) const = default;
};

struct PlanParts;  // holds oneDNN's objects, so that its headers stay in onednn.cpp

class MatmulPlan {
 public:
  explicit MatmulPlan(const MatmulShape& shape);
  ~MatmulPlan();
  std::size_t scratch_bytes() const;
  /// The name of oneDNN's implementation; one that begins with "ref" is slow.
  std::string implementation() const;
  /// `scratch` holds scratch_bytes().
  void run(const void* a, const void* b, void* c, void* scratch) const;

 private:
  std::unique_ptr<PlanParts> parts_;
};

class ConvolutionPlan {
 public:
  explicit ConvolutionPlan(const ConvolutionShape& shape);
  ~ConvolutionPlan();
  std::size_t scratch_bytes() const;
  /// Bytes of the weights, or of their gradient, in the layout that the pass wants.
  std::size_t packed_bytes() const;
  std::string implementation() const;
  /// weight [out, kernel_h, kernel_w, in/groups] -> packed. Forward and backward data. The weight is of the plan's
  /// operand type, or 16-bit and widened on the way to FP32 operands; that needs `wide`, room for wide_bytes().
  void pack(const void* weight, DType type, float* wide, void* packed) const;
  std::size_t wide_bytes(DType type) const;
  /// packed -> dweight, both FP32. Backward weights.
  void unpack(const float* packed, float* dweight) const;
  /// forward: reads x (`x`), packed, bias; writes y (`y`). backward_data: reads dy (`y`), packed; writes dx (`x`).
  /// backward_weights: reads x and dy (`y`); writes packed.
  void run(const void* x, const void* packed, const float* bias, const void* y, void* scratch) const;
  std::int64_t runs() const { return runs_; }  ///< so far

 private:
  std::unique_ptr<PlanParts> parts_;
  mutable std::int64_t runs_ = 0;
};

/// This thread's plan for the shape under the thread count set now; made on first use. The split of weight gradients
/// over threads is fixed when a plan is made, so the thread count is part of the key.
const MatmulPlan& plan(const MatmulShape& shape);
const ConvolutionPlan& plan(const ConvolutionShape& shape);

/// Every convolution of this thread with the number of its runs: what benchmarks hold a step against.
std::vector<std::pair<ConvolutionShape, std::int64_t>> convolution_runs();

}  // namespace mpdist::kernels::cpu::onednn
