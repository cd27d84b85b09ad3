// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/row_pass.cuh"
#include "kernels/deferred_norm.hpp"

/// What the norm kernels share. The host functions are in deferred_norm.cu.
namespace mpdist::kernels::cuda {

template <class T>
T* data_or_null(const Tensor& tensor) {
  return tensor ? tensor.data<T>() : nullptr;
}

/// 0 below 0; NaN stays.
__device__ inline float rectify(float value) {
  return value <= 0.0F ? 0.0F : value;
}

/// [channels] FP32 in the workspace.
inline Tensor channel_array(void* data, std::int64_t channels) {
  return {data, {channels}, DType::fp32, Device::cuda};
}

/// Sum: x.
template <class T>
struct RowSumPass {
  static constexpr int kSums = 1, kGroup = kVector<T>;
  const T* x;

  struct State {};
  __device__ State start(const GroupPlace&) const { return {}; }
  __device__ void row(State, const GroupPlace& at, float (&sums)[1][kGroup]) const {
    float value[kGroup];
    load_group(x, at, value);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) sums[0][k] += value[k];
  }
};

struct StoreMean {
  float* mean;
  double rows;
  __device__ void operator()(std::int64_t c, const double (&sum)[1]) const {
    mean[c] = static_cast<float>(sum[0] / rows);
  }
};

/// The end of a norm's backward pass, per channel (FP32):  dz = outer*g + slope*(z - mean) + offset,  where with
/// xhat = (z - mean)*rstd this is gamma*rstd * (g - sum(g)/rows - xhat * sum(g*xhat)/rows).
struct InputGradientCoefficients {
  float *outer, *slope, *offset;

  __device__ void set(std::int64_t c, double gamma, double rstd, double sum_g, double sum_gx, double rows) const {
    const double factor = gamma * rstd;
    outer[c] = static_cast<float>(factor);
    slope[c] = static_cast<float>(-factor * sum_gx / rows * rstd);
    offset[c] = static_cast<float>(-factor * sum_g / rows);
  }
};

/// Enqueues that; dz, of z's shape and type, may be g.
void norm_input_gradient(const Stream& stream, const Tensor& g, const Tensor& z, const Tensor& mean,
                         const InputGradientCoefficients& coefficients, const Tensor& dz);

/// NormGradient with its input apart: dx = (from + more where y > 0, else 0), rounded once, then the norms' sums.
struct GradientPart {
  Tensor from;  ///< as dx; may be dx
  Tensor more;  ///< may be empty, may be dx
  Tensor y;     ///< may be empty
  Tensor dx;
  const NormSums (&norms)[2];
};
/// Workspace that norm_gradient_part() needs.
std::size_t partial_bytes_of(const GradientPart& part);
void norm_gradient_part(const Stream& stream, const GradientPart& part, void* partials);

}  // namespace mpdist::kernels::cuda
