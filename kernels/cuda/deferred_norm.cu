// SPDX-License-Identifier: Apache-2.0
#include "kernels/deferred_norm.hpp"

#include "kernels/cuda/norm_passes.cuh"

namespace mpdist::kernels::cuda {

enum class Residual { none, as_it_is, normalised };

template <class T, Residual kResidual>
struct NormApplyPass {
  static constexpr int kSums = 0, kGroup = kVector<T>;
  const T *x, *residual;
  const float *scale, *shift, *residual_scale, *residual_shift;
  T* y;
  bool relu;

  struct State {
    float scale[kGroup], shift[kGroup], residual_scale[kGroup], residual_shift[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
    load_channels(scale, at, state.scale);
    load_channels(shift, at, state.shift);
    if constexpr (kResidual == Residual::normalised) {
      load_channels(residual_scale, at, state.residual_scale);
      load_channels(residual_shift, at, state.residual_shift);
    }
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&)[1][kGroup]) const {
    float value[kGroup], more[kGroup];
    load_group(x, at, value);
    if constexpr (kResidual != Residual::none) load_group(residual, at, more);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) {
      value[k] = fmaf(value[k], state.scale[k], state.shift[k]);
      if constexpr (kResidual == Residual::normalised) {
        more[k] = widen(narrow<T>(fmaf(more[k], state.residual_scale[k], state.residual_shift[k])));
      }
      if constexpr (kResidual != Residual::none) value[k] += more[k];
      if (relu) value[k] = rectify(value[k]);
    }
    store_group(y, at, value);
  }
};

namespace {

template <class T, Residual kResidual>
void apply(const Stream& stream, const NormApply& a) {
  const NormApplyPass<T, kResidual> pass{a.x.data<T>(),
                                         data_or_null<T>(a.residual),
                                         a.scale.data<float>(),
                                         a.shift.data<float>(),
                                         data_or_null<float>(a.residual_scale),
                                         data_or_null<float>(a.residual_shift),
                                         a.y.data<T>(),
                                         a.relu};
  run_rows<T>(stream, "norm_apply", row_grid_of<T>(a.x, {pass.x, pass.residual, pass.y}), pass);
}

}  // namespace

struct NormCoefficientsOfChannel {
  const float *gamma, *beta, *mean, *variance;
  float *scale, *shift;
  float epsilon;

  __device__ void operator()(std::int64_t c) const {
    const double spread = static_cast<double>(variance[c]) + static_cast<double>(epsilon);
    scale[c] = gamma[c] * static_cast<float>(1.0 / sqrt(spread));
    shift[c] = beta[c] - mean[c] * scale[c];
  }
};

template <class T>
struct NormInputGradientPass {
  static constexpr int kSums = 0, kGroup = kVector<T>;
  const T *g, *z;
  const float* mean;
  InputGradientCoefficients coefficients;
  T* dz;

  struct State {
    float mean[kGroup], outer[kGroup], slope[kGroup], offset[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
    load_channels(mean, at, state.mean);
    load_channels(coefficients.outer, at, state.outer);
    load_channels(coefficients.slope, at, state.slope);
    load_channels(coefficients.offset, at, state.offset);
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&)[1][kGroup]) const {
    float gradient[kGroup], value[kGroup];
    load_group(g, at, gradient);
    load_group(z, at, value);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) {
      const float inner = fmaf(state.slope[k], value[k] - state.mean[k], state.offset[k]);
      value[k] = fmaf(state.outer[k], gradient[k], inner);
    }
    store_group(dz, at, value);
  }
};

struct NormArrays {
  const float *mean, *rstd;
};

/// Sums: g, then g*(z - mean)*rstd of each norm.
template <class T, int kNorms>
struct NormGradientPass {
  static constexpr int kSums = kNorms > 0 ? 1 + kNorms : 0, kGroup = kVector<T>;
  static constexpr int kArrays = kNorms > 0 ? kNorms : 1;
  const T *from, *more, *y;
  T* dx;
  const T* z[kArrays];
  NormArrays norms[kArrays];

  struct State {
    float mean[kArrays][kGroup], rstd[kArrays][kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
#pragma unroll
    for (int i = 0; i < kNorms; ++i) {
      load_channels(norms[i].mean, at, state.mean[i]);
      load_channels(norms[i].rstd, at, state.rstd[i]);
    }
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&sums)[kSums > 0 ? kSums : 1][kGroup]) const {
    float gradient[kGroup], other[kGroup];
    load_group(from, at, gradient);
    if (more) {
      load_group(more, at, other);
#pragma unroll
      for (int k = 0; k < kGroup; ++k) gradient[k] += other[k];
    }
    if (y) {
      load_group(y, at, other);
#pragma unroll
      for (int k = 0; k < kGroup; ++k) gradient[k] = other[k] > 0.0F ? gradient[k] : 0.0F;
    }
    store_group(dx, at, gradient);
    if constexpr (kNorms > 0) {
#pragma unroll
      for (int k = 0; k < kGroup; ++k) {
        gradient[k] = widen(narrow<T>(gradient[k]));
        sums[0][k] += gradient[k];
      }
    }
#pragma unroll
    for (int i = 0; i < kNorms; ++i) {
      load_group(z[i], at, other);
#pragma unroll
      for (int k = 0; k < kGroup; ++k) {
        sums[1 + i][k] = fmaf(gradient[k], (other[k] - state.mean[i][k]) * state.rstd[i][k], sums[1 + i][k]);
      }
    }
  }
};

/// sums[norm] is [2, channels].
template <int kNorms>
struct StoreNormSums {
  float* sums[kNorms];
  std::int64_t channels;

  __device__ void operator()(std::int64_t c, const double (&total)[1 + kNorms]) const {
#pragma unroll
    for (int i = 0; i < kNorms; ++i) {
      sums[i][c] = static_cast<float>(total[0]);
      sums[i][channels + c] = static_cast<float>(total[1 + i]);
    }
  }
};

namespace {

template <class T, int kNorms>
void gradient_part(const Stream& stream, const GradientPart& part, void* partials) {
  NormGradientPass<T, kNorms> pass{part.from.data<T>(), data_or_null<T>(part.more), data_or_null<T>(part.y),
                                   part.dx.data<T>()};
  for (int i = 0; i < kNorms; ++i) {
    pass.z[i] = part.norms[i].z.template data<T>();
    pass.norms[i] = {part.norms[i].mean.template data<float>(), part.norms[i].rstd.template data<float>()};
  }
  const RowGrid grid =
      row_grid_of<T>(part.dx, {pass.from, pass.more, pass.y, pass.dx, pass.z[0], pass.z[kNorms > 1 ? 1 : 0]});
  if constexpr (kNorms == 0) {
    run_rows<T>(stream, "norm_gradient", grid, pass);
  } else {
    StoreNormSums<kNorms> store{{}, grid.channels};
    for (int i = 0; i < kNorms; ++i) store.sums[i] = part.norms[i].sums.template data<float>();
    sum_rows<T>(stream, "norm_gradient", grid, pass, partials, store);
  }
}

int norms_of(const GradientPart& part) {
  return part.norms[1].z ? 2 : part.norms[0].z ? 1 : 0;
}

}  // namespace

void norm_apply(Stream& stream, const NormApply& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    if (a.residual_scale) {
      apply<T, Residual::normalised>(stream, a);
    } else if (a.residual) {
      apply<T, Residual::as_it_is>(stream, a);
    } else {
      apply<T, Residual::none>(stream, a);
    }
  });
}

void norm_coefficients(Stream& stream, const NormCoefficients& a) {
  const NormCoefficientsOfChannel compute{a.gamma.data<float>(),
                                          a.beta.data<float>(),
                                          a.mean.data<float>(),
                                          a.variance.data<float>(),
                                          a.scale.data<float>(),
                                          a.shift.data<float>(),
                                          a.epsilon};
  for_channels(stream, "norm_coefficients", a.gamma.elements(), compute);
}

void norm_gradient(Stream& stream, const NormGradient& a) {
  const GradientPart part{a.dx, Tensor(), a.y, a.dx, a.norms};
  if (!part.y && norms_of(part) == 0) return;
  norm_gradient_part(stream, part, stream.workspace(partial_bytes_of(part)));
}

void norm_input_gradient(const Stream& stream, const Tensor& g, const Tensor& z, const Tensor& mean,
                         const InputGradientCoefficients& coefficients, const Tensor& dz) {
  with_compute_type(z.dtype(), [&]<class T>(T) {
    const NormInputGradientPass<T> pass{g.data<T>(), z.data<T>(), mean.data<float>(), coefficients, dz.data<T>()};
    run_rows<T>(stream, "norm_input_gradient", row_grid_of<T>(z, {pass.g, pass.z, pass.dz}), pass);
  });
}

std::size_t partial_bytes_of(const GradientPart& part) {
  const int norms = norms_of(part);
  if (norms == 0) return 0;
  return with_compute_type(part.dx.dtype(),
                           [&]<class T>(T) { return row_grid_of<T>(part.dx, {}).partial_bytes(1 + norms); });
}

void norm_gradient_part(const Stream& stream, const GradientPart& part, void* partials) {
  with_compute_type(part.dx.dtype(), [&]<class T>(T) {
    switch (norms_of(part)) {
      case 0:
        return gradient_part<T, 0>(stream, part, partials);
      case 1:
        return gradient_part<T, 1>(stream, part, partials);
      default:
        return gradient_part<T, 2>(stream, part, partials);
    }
  });
}

}  // namespace mpdist::kernels::cuda
