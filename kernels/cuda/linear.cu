// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.hpp"

#include "kernels/cuda/aligned_operand.hpp"
#include "kernels/cuda/cublaslt.hpp"
#include "kernels/cuda/masked_gradient.hpp"
#include "kernels/cuda/row_pass.cuh"
#include "kernels/relu.hpp"

namespace mpdist::kernels::cuda {

/// Sum: dy.
template <class T>
struct MaskedGradientPass {
  static constexpr int kSums = 1, kGroup = kVector<T>;
  const T* y;
  T* dy;

  struct State {};
  __device__ State start(const GroupPlace&) const { return {}; }
  __device__ void row(State, const GroupPlace& at, float (&sums)[1][kGroup]) const {
    float gradient[kGroup], result[kGroup];
    load_group(dy, at, gradient);
    if (y) {
      load_group(y, at, result);
#pragma unroll
      for (int k = 0; k < kGroup; ++k) gradient[k] = result[k] > 0.0F ? gradient[k] : 0.0F;
      store_group(dy, at, gradient);
    }
#pragma unroll
    for (int k = 0; k < kGroup; ++k) sums[0][k] += gradient[k];
  }
};

struct StoreBiasGradient {
  float* dbias;
  bool accumulate;
  __device__ void operator()(std::int64_t channel, const double (&sum)[1]) const {
    dbias[channel] = (accumulate ? dbias[channel] : 0.0F) + static_cast<float>(sum[0]);
  }
};

std::size_t MaskedGradient::partial_bytes() const {
  if (!dbias) return 0;
  return with_compute_type(dy.dtype(), [&]<class T>(T) { return row_grid_of<T>(dy, {}).partial_bytes(1); });
}

void MaskedGradient::run(Stream& stream, void* partials) const {
  if (!dbias) {
    if (y) relu_backward(stream, {.y = y, .dy = dy, .dx = dy});
    return;
  }
  with_compute_type(dy.dtype(), [&]<class T>(T) {
    const MaskedGradientPass<T> pass{y ? y.data<T>() : nullptr, dy.data<T>()};
    sum_rows<T>(stream, "masked_gradient", row_grid_of<T>(dy, {pass.y, pass.dy}), pass, partials,
                StoreBiasGradient{dbias.data<float>(), accumulate});
  });
}

namespace {

cublaslt::MatmulShape forward_shape(const LinearForward& a) {
  return {.rows = a.x.shape()[0],
          .columns = a.weight.shape()[0],
          .depth = a.x.shape()[1],
          .b_transposed = true,
          .operands = a.x.dtype(),
          .result = a.x.dtype(),
          .bias = static_cast<bool>(a.bias),
          .relu = a.relu};
}

/// dx[rows, in] = g[rows, out] * weight[out, in]
cublaslt::MatmulShape data_shape(const LinearBackward& a) {
  return {.rows = a.x.shape()[0],
          .columns = a.x.shape()[1],
          .depth = a.weight.shape()[0],
          .operands = a.x.dtype(),
          .result = a.x.dtype()};
}

/// dweight[out, in] = g[rows, out]^T * x[rows, in]
cublaslt::MatmulShape weight_shape(const LinearBackward& a) {
  return {.rows = a.weight.shape()[0],
          .columns = a.x.shape()[1],
          .depth = a.x.shape()[0],
          .a_transposed = true,
          .operands = a.x.dtype(),
          .result = DType::fp32};
}

}  // namespace

void linear_forward(Stream& stream, const LinearForward& a) {
  cublaslt::MatmulShape shape = forward_shape(a);
  const cublaslt::MatmulPlan& fused = cublaslt::plan(shape);
  shape.relu = false;
  const cublaslt::MatmulPlan& plain = cublaslt::plan(shape);
  Scratch scratch;
  const AlignedOperand x(a.x, scratch), weight(a.weight, scratch), bias(a.bias, scratch), y(a.y, scratch);
  const std::size_t workspace =
      scratch.reserve(std::max(fused.workspace_bytes(), plain.workspace_bytes()), kLibraryWorkspaceAlignment);
  scratch.open(stream);
  const cublaslt::MatmulArrays arrays{.a = x.loaded(stream),
                                      .b = weight.loaded(stream),
                                      .bias = bias.loaded(stream),
                                      .result = y.data(),
                                      .workspace = scratch.at(workspace)};
  const bool apart = a.relu && !fused.keeps_nan(stream, arrays);
  (apart ? plain : fused).run(stream, arrays);
  y.store(stream);
  if (apart) relu_forward(stream, {.x = a.y, .y = a.y});
}

void linear_backward(Stream& stream, const LinearBackward& a) {
  const MaskedGradient gradient{a.relu ? a.y : Tensor(), a.dy, a.dbias, a.accumulate};
  const cublaslt::MatmulPlan* const to_dx = a.dx ? &cublaslt::plan(data_shape(a)) : nullptr;
  const cublaslt::MatmulPlan* const to_dweight = a.dweight ? &cublaslt::plan(weight_shape(a)) : nullptr;
  Scratch scratch;
  const AlignedOperand x(a.x, scratch), weight(a.weight, scratch), g(a.dy, scratch), dx(a.dx, scratch),
      dweight(a.dweight, scratch);
  const std::size_t workspace =
      scratch.reserve(std::max({gradient.partial_bytes(), to_dx ? to_dx->workspace_bytes() : 0,
                                to_dweight ? to_dweight->workspace_bytes() : 0}),
                      kLibraryWorkspaceAlignment);
  scratch.open(stream);
  gradient.run(stream, scratch.at(workspace));
  const void* const operand = g.loaded(stream);
  if (to_dx) {
    to_dx->run(stream,
               {.a = operand, .b = weight.loaded(stream), .result = dx.data(), .workspace = scratch.at(workspace)});
    dx.store(stream);
  }
  if (to_dweight) {
    if (a.accumulate) dweight.loaded(stream);
    to_dweight->run(stream,
                    {.a = operand, .b = x.loaded(stream), .result = dweight.data(), .workspace = scratch.at(workspace)},
                    a.accumulate);
    dweight.store(stream);
  }
}

}  // namespace mpdist::kernels::cuda
