// SPDX-License-Identifier: Apache-2.0
#include "kernels/batch_norm.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/tile_passes.hpp"
#include "kernels/cpu/vector.hpp"
#include "kernels/scratch.hpp"

namespace mpdist::kernels {
void BatchNormForward::validate() const {
  checks::alike("batch_norm_forward", "x", x, "y", y);
  if (residual) checks::alike("batch_norm_forward", "x", x, "residual", residual);
  checks::per_channel("batch_norm_forward", "gamma", gamma, x.shape()[-1]);
  checks::per_channel("batch_norm_forward", "beta", beta, x.shape()[-1]);
  checks::per_channel("batch_norm_forward", "mean", mean, x.shape()[-1]);
  checks::per_channel("batch_norm_forward", "rstd", rstd, x.shape()[-1]);
  checks::per_channel("batch_norm_forward", "unbiased_variance", unbiased_variance, x.shape()[-1]);
  require(x.elements() >= 2 * x.shape()[-1], "batch_norm_forward: a channel needs 2 values or more, found x {}",
          x.shape().to_string());
}

void BatchNormBackward::validate() const {
  checks::alike("batch_norm_backward", "x", x, "dy", dy);
  checks::alike("batch_norm_backward", "x", x, "dx", dx);
  if (relu) checks::alike("batch_norm_backward", "x", x, "y", y);
  checks::per_channel("batch_norm_backward", "gamma", gamma, x.shape()[-1]);
  checks::per_channel("batch_norm_backward", "mean", mean, x.shape()[-1]);
  checks::per_channel("batch_norm_backward", "rstd", rstd, x.shape()[-1]);
  checks::per_channel("batch_norm_backward", "dgamma", dgamma, x.shape()[-1]);
  checks::per_channel("batch_norm_backward", "dbeta", dbeta, x.shape()[-1]);
}

void BatchNormInference::validate() const {
  checks::alike("batch_norm_inference", "x", x, "y", y);
  if (residual) checks::alike("batch_norm_inference", "x", x, "residual", residual);
  checks::per_channel("batch_norm_inference", "gamma", gamma, x.shape()[-1]);
  checks::per_channel("batch_norm_inference", "beta", beta, x.shape()[-1]);
  checks::per_channel("batch_norm_inference", "mean", mean, x.shape()[-1]);
  checks::per_channel("batch_norm_inference", "variance", variance, x.shape()[-1]);
}

namespace cpu {
namespace {

constexpr std::int64_t kBlockRows = 64;  ///< rows summed in FP32 before they join the FP64 sum

/// sums[s][c] (FP64) = sum over rows of term s of column c: blocks of kBlockRows in FP32, blocks in FP64, both in row
/// order. term(place, channel, lanes) gives `Sums` vectors for the elements at `place`.
template <int Sums, class Term>
void column_sums(std::int64_t rows, std::int64_t channels, double* const (&sums)[Sums], Term&& term) {
  for (double* sum : sums) std::fill_n(sum, channels, 0.0);
  for (std::int64_t begin = 0; begin < rows; begin += kBlockRows) {
    const std::int64_t end = std::min(begin + kBlockRows, rows);
    for_each_vector(channels, [&](std::int64_t c, auto lanes) {
      F32x16 block[Sums];
      for (F32x16& b : block) b = broadcast(0.0F);
      for (std::int64_t r = begin; r < end; ++r) term(r * channels + c, c, lanes, block);
      for (int s = 0; s < Sums; ++s) {
        float lane[kLanes];
        store(lane, block[s]);
        for (std::int64_t i = 0; i < lanes.count; ++i) sums[s][c + i] += static_cast<double>(lane[i]);
      }
    });
  }
}

/// y = activation(x * scale + shift (+ residual)) for every row.
template <class T>
void apply(const T* x, const float* scale, const float* shift, const T* residual, T* y, std::int64_t rows,
           std::int64_t channels, bool relu) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for_each_vector(channels, [&](std::int64_t c, auto lanes) {
      const std::int64_t place = r * channels + c;
      F32x16 value = fma(load(x + place, lanes), load(scale + c, lanes), load(shift + c, lanes));
      if (residual) value = value + load(residual + place, lanes);
      store(y + place, relu ? rectify(value) : value, lanes);
    });
  }
}

/// Channel arrays of one call, in the stream's workspace.
struct ChannelScratch {
  double* sums[2];
  float *scale, *shift, *third;
  ChannelScratch(Stream& stream, std::int64_t channels) {
    Scratch scratch;
    const std::size_t doubles = static_cast<std::size_t>(channels) * sizeof(double);
    const std::size_t places[] = {scratch.reserve(doubles), scratch.reserve(doubles),
                                  scratch.reserve(float_bytes(channels)), scratch.reserve(float_bytes(channels)),
                                  scratch.reserve(float_bytes(channels))};
    scratch.open(stream);
    sums[0] = static_cast<double*>(scratch.at(places[0]));
    sums[1] = static_cast<double*>(scratch.at(places[1]));
    scale = scratch.floats(places[2]), shift = scratch.floats(places[3]), third = scratch.floats(places[4]);
  }
};

template <class T>
void statistics(const BatchNormForward& a, const T* x, std::int64_t rows, std::int64_t channels,
                ChannelScratch& scratch) {
  float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>(), *unbiased = a.unbiased_variance.data<float>();
  double* sum[1] = {scratch.sums[0]};
  column_sums<1>(rows, channels, sum, [&](std::int64_t place, std::int64_t, auto lanes, F32x16* block) {
    block[0] = block[0] + load(x + place, lanes);
  });
  for (std::int64_t c = 0; c < channels; ++c) mean[c] = static_cast<float>(sum[0][c] / static_cast<double>(rows));
  column_sums<1>(rows, channels, sum, [&](std::int64_t place, std::int64_t c, auto lanes, F32x16* block) {
    const F32x16 centred = load(x + place, lanes) - load(mean + c, lanes);
    block[0] = fma(centred, centred, block[0]);
  });
  for (std::int64_t c = 0; c < channels; ++c) {
    rstd[c] =
        static_cast<float>(1.0 / std::sqrt(sum[0][c] / static_cast<double>(rows) + static_cast<double>(a.epsilon)));
    unbiased[c] = static_cast<float>(sum[0][c] / static_cast<double>(rows - 1));
  }
}

}  // namespace

void batch_norm_forward(Stream& stream, const BatchNormForward& a) {
  const std::int64_t channels = a.x.shape()[-1], rows = a.x.elements() / channels;
  ChannelScratch scratch(stream, channels);
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T* x = a.x.data<T>();
    statistics(a, x, rows, channels, scratch);
    for (std::int64_t c = 0; c < channels; ++c) {
      scratch.scale[c] = a.gamma.data<float>()[c] * a.rstd.data<float>()[c];
      scratch.shift[c] = a.beta.data<float>()[c] - a.mean.data<float>()[c] * scratch.scale[c];
    }
    apply(x, scratch.scale, scratch.shift, a.residual ? a.residual.data<T>() : nullptr, a.y.data<T>(), rows, channels,
          a.relu);
  });
}

void batch_norm_inference(Stream& stream, const BatchNormInference& a) {
  const std::int64_t channels = a.x.shape()[-1], rows = a.x.elements() / channels;
  ChannelScratch scratch(stream, channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double variance = static_cast<double>(a.variance.data<float>()[c]) + static_cast<double>(a.epsilon);
    scratch.scale[c] = a.gamma.data<float>()[c] * static_cast<float>(1.0 / std::sqrt(variance));
    scratch.shift[c] = a.beta.data<float>()[c] - a.mean.data<float>()[c] * scratch.scale[c];
  }
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    apply(a.x.data<T>(), scratch.scale, scratch.shift, a.residual ? a.residual.data<T>() : nullptr, a.y.data<T>(), rows,
          channels, a.relu);
  });
}

void batch_norm_backward(Stream& stream, const BatchNormBackward& a) {
  const std::int64_t channels = a.x.shape()[-1], rows = a.x.elements() / channels;
  ChannelScratch scratch(stream, channels);
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>(), *gamma = a.gamma.data<float>();
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T *x = a.x.data<T>(), *y = a.relu ? a.y.data<T>() : nullptr;
    T *dy = a.dy.data<T>(), *dx = a.dx.data<T>();
    const F32x16 zero = broadcast(0.0F);
    column_sums<2>(rows, channels, scratch.sums, [&](std::int64_t place, std::int64_t c, auto lanes, F32x16* block) {
      F32x16 g = load(dy + place, lanes);
      if (y) {
        g = select(greater(load(y + place, lanes), zero), g, zero);
        store(dy + place, g, lanes);
      }
      block[0] = block[0] + g;
      block[1] = fma(g, (load(x + place, lanes) - load(mean + c, lanes)) * load(rstd + c, lanes), block[1]);
    });
    // dx = A*g - B*(x - mean) - D per channel.
    float *dgamma = a.dgamma.data<float>(), *dbeta = a.dbeta.data<float>();
    for (std::int64_t c = 0; c < channels; ++c) {
      const double sum_g = scratch.sums[0][c], sum_gx = scratch.sums[1][c], n = static_cast<double>(rows);
      const double outer = static_cast<double>(gamma[c]) * static_cast<double>(rstd[c]);
      scratch.scale[c] = static_cast<float>(outer);
      scratch.shift[c] = static_cast<float>(outer * sum_gx / n * static_cast<double>(rstd[c]));
      scratch.third[c] = static_cast<float>(outer * sum_g / n);
      dbeta[c] = (a.accumulate ? dbeta[c] : 0.0F) + static_cast<float>(sum_g);
      dgamma[c] = (a.accumulate ? dgamma[c] : 0.0F) + static_cast<float>(sum_gx);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for_each_vector(channels, [&](std::int64_t c, auto lanes) {
        const std::int64_t place = r * channels + c;
        const F32x16 centred = load(x + place, lanes) - load(mean + c, lanes);
        const F32x16 inner = fma(load(scratch.shift + c, lanes), centred, load(scratch.third + c, lanes));
        store(dx + place, load(scratch.scale + c, lanes) * load(dy + place, lanes) - inner, lanes);
      });
    }
  });
}

}  // namespace cpu
}  // namespace mpdist::kernels
