// SPDX-License-Identifier: Apache-2.0
#include "kernels/batch_norm.hpp"

#include "kernels/cuda/norm_passes.cuh"
#include "kernels/scratch.hpp"

namespace mpdist::kernels::cuda {

template <class T>
struct BatchNormSquaresPass {
  static constexpr int kSums = 1, kGroup = kVector<T>;
  const T* x;
  const float* mean;

  struct State {
    float mean[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
    load_channels(mean, at, state.mean);
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&sums)[1][kGroup]) const {
    float value[kGroup];
    load_group(x, at, value);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) {
      const float centred = k < at.count ? value[k] - state.mean[k] : 0.0F;
      sums[0][k] = fmaf(centred, centred, sums[0][k]);
    }
  }
};

struct StoreBatchNormVariance {
  const float *gamma, *beta, *mean;
  float *rstd, *unbiased, *scale, *shift;
  double rows, epsilon;

  __device__ void operator()(std::int64_t c, const double (&sum)[1]) const {
    rstd[c] = static_cast<float>(1.0 / sqrt(sum[0] / rows + epsilon));
    unbiased[c] = static_cast<float>(sum[0] / (rows - 1));
    scale[c] = gamma[c] * rstd[c];
    shift[c] = beta[c] - mean[c] * scale[c];
  }
};

/// dy = dy where y > 0 (with y), else 0. Sums: dy, dy*xhat.
template <class T>
struct BatchNormBackwardPass {
  static constexpr int kSums = 2, kGroup = kVector<T>;
  const T *x, *y;
  T* dy;
  const float *mean, *rstd;

  struct State {
    float mean[kGroup], rstd[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
    load_channels(mean, at, state.mean);
    load_channels(rstd, at, state.rstd);
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&sums)[2][kGroup]) const {
    float gradient[kGroup], value[kGroup];
    load_group(dy, at, gradient);
    if (y) {
      load_group(y, at, value);
#pragma unroll
      for (int k = 0; k < kGroup; ++k) gradient[k] = value[k] > 0.0F ? gradient[k] : 0.0F;
      store_group(dy, at, gradient);
    }
    load_group(x, at, value);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) {
      sums[0][k] += gradient[k];
      sums[1][k] = fmaf(gradient[k], (value[k] - state.mean[k]) * state.rstd[k], sums[1][k]);
    }
  }
};

struct StoreBatchNormGradients {
  const float *gamma, *rstd;
  float *dgamma, *dbeta;
  InputGradientCoefficients coefficients;
  double rows;
  bool accumulate;

  __device__ void operator()(std::int64_t c, const double (&sum)[2]) const {
    coefficients.set(c, gamma[c], rstd[c], sum[0], sum[1], rows);
    dbeta[c] = (accumulate ? dbeta[c] : 0.0F) + static_cast<float>(sum[0]);
    dgamma[c] = (accumulate ? dgamma[c] : 0.0F) + static_cast<float>(sum[1]);
  }
};

void batch_norm_forward(Stream& stream, const BatchNormForward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T* const x = a.x.data<T>();
    const RowGrid grid = row_grid_of<T>(a.x, {x});
    Scratch scratch;
    const std::size_t partials = scratch.reserve(grid.partial_bytes(1));
    const std::size_t scale = scratch.reserve(float_bytes(grid.channels));
    const std::size_t shift = scratch.reserve(float_bytes(grid.channels));
    scratch.open(stream);
    float* const mean = a.mean.data<float>();
    const auto rows = static_cast<double>(grid.rows);
    sum_rows<T>(stream, "batch_norm_forward", grid, RowSumPass<T>{x}, scratch.at(partials), StoreMean{mean, rows});
    const StoreBatchNormVariance store{a.gamma.data<float>(),
                                       a.beta.data<float>(),
                                       mean,
                                       a.rstd.data<float>(),
                                       a.unbiased_variance.data<float>(),
                                       scratch.floats(scale),
                                       scratch.floats(shift),
                                       rows,
                                       static_cast<double>(a.epsilon)};
    sum_rows<T>(stream, "batch_norm_forward", grid, BatchNormSquaresPass<T>{x, mean}, scratch.at(partials), store);
    norm_apply(stream, {.x = a.x,
                        .scale = channel_array(store.scale, grid.channels),
                        .shift = channel_array(store.shift, grid.channels),
                        .residual = a.residual,
                        .y = a.y,
                        .relu = a.relu});
  });
}

void batch_norm_inference(Stream& stream, const BatchNormInference& a) {
  const std::int64_t channels = a.x.shape()[-1];
  Scratch scratch;
  const std::size_t places[] = {scratch.reserve(float_bytes(channels)), scratch.reserve(float_bytes(channels))};
  scratch.open(stream);
  const Tensor scale = channel_array(scratch.at(places[0]), channels);
  const Tensor shift = channel_array(scratch.at(places[1]), channels);
  norm_coefficients(stream, {a.gamma, a.beta, a.mean, a.variance, scale, shift, a.epsilon});
  norm_apply(stream, {.x = a.x, .scale = scale, .shift = shift, .residual = a.residual, .y = a.y, .relu = a.relu});
}

void batch_norm_backward(Stream& stream, const BatchNormBackward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const BatchNormBackwardPass<T> pass{a.x.data<T>(), a.relu ? a.y.data<T>() : nullptr, a.dy.data<T>(),
                                        a.mean.data<float>(), a.rstd.data<float>()};
    const RowGrid grid = row_grid_of<T>(a.x, {pass.x, pass.y, pass.dy});
    Scratch scratch;
    const std::size_t partials = scratch.reserve(grid.partial_bytes(2));
    const std::size_t places[] = {scratch.reserve(float_bytes(grid.channels)),
                                  scratch.reserve(float_bytes(grid.channels)),
                                  scratch.reserve(float_bytes(grid.channels))};
    scratch.open(stream);
    const InputGradientCoefficients coefficients{scratch.floats(places[0]), scratch.floats(places[1]),
                                                 scratch.floats(places[2])};
    const StoreBatchNormGradients store{a.gamma.data<float>(), pass.rstd,    a.dgamma.data<float>(),
                                        a.dbeta.data<float>(), coefficients, static_cast<double>(grid.rows),
                                        a.accumulate};
    sum_rows<T>(stream, "batch_norm_backward", grid, pass, scratch.at(partials), store);
    norm_input_gradient(stream, a.dy, a.x, a.mean, coefficients, a.dx);
  });
}

}  // namespace mpdist::kernels::cuda
