// SPDX-License-Identifier: Apache-2.0
#pragma once
// The kernels of deferred_norm.hpp, a tile at a time, with their arrays of channels in scratch.
#include "kernels/cpu/norm_passes.hpp"
#include "kernels/deferred_norm.hpp"
#include "kernels/scratch.hpp"

namespace mpdist::kernels::cpu {

inline std::int64_t rows_of_image(const Tensor& images) {
  return images.elements() / images.shape()[0] / images.shape()[-1];
}

/// Arrays of one value per column, in scratch.
class Columns {
 public:
  Columns(const Folding& folding, Scratch& scratch) : folding_(folding), scratch_(scratch) {}
  std::size_t reserve_floats() { return scratch_.reserve(float_bytes(folding_.padded())); }
  std::size_t reserve_sums() { return scratch_.reserve(static_cast<std::size_t>(folding_.padded()) * sizeof(double)); }

  /// Writes per_channel[channel] into every column; null for an empty tensor.
  const float* repeat(const Tensor& per_channel, std::size_t place) const {
    if (!per_channel) return nullptr;
    folding_.repeat(per_channel.data<float>(), scratch_.floats(place));
    return scratch_.floats(place);
  }
  double* zeroed_sums(std::size_t place) const {
    double* const sums = static_cast<double*>(scratch_.at(place));
    std::fill_n(sums, folding_.padded(), 0.0);
    return sums;
  }

 private:
  const Folding& folding_;
  Scratch& scratch_;
};

/// NormApply, a tile at a time.
template <class T>
class Applier {
 public:
  Applier(const NormApply& args, Scratch& scratch)
      : args_(args), folding_(rows_of_image(args.x), args.x.shape()[-1]), columns_(folding_, scratch) {
    for (std::size_t& place : places_) place = columns_.reserve_floats();
  }
  void start() {
    pass_ = {.scale = columns_.repeat(args_.scale, places_[0]),
             .shift = columns_.repeat(args_.shift, places_[1]),
             .residual_scale = columns_.repeat(args_.residual_scale, places_[2]),
             .residual_shift = columns_.repeat(args_.residual_shift, places_[3]),
             .relu = args_.relu};
  }
  void run(std::int64_t first, std::int64_t elements, float* wide) {
    pass_.x = args_.x.data<T>() + first;
    pass_.residual = args_.residual ? args_.residual.data<T>() + first : nullptr;
    pass_.y = args_.y.data<T>() + first;
    pass_.wide = wide;
    pass_.run({folding_, elements});
  }

 private:
  const NormApply& args_;
  Folding folding_;
  Columns columns_;
  std::size_t places_[4];
  ApplyPass<T> pass_{};
};

/// The gradient of a tile of x on its way to where x came from, see NormGradient. From: T, or FP32.
template <class T>
class GradientSums {
 public:
  GradientSums(const Tensor& dx, const NormSums (&norms)[2], Scratch& scratch)
      : norms_(norms), folding_(rows_of_image(dx), dx.shape()[-1]), columns_(folding_, scratch) {
    for (std::size_t& place : means_) place = columns_.reserve_floats();
    for (std::size_t& place : sums_) place = columns_.reserve_sums();
  }
  void start() {
    for (int j = 0; j < 2; ++j) mean_columns_[j] = columns_.repeat(norms_[j].mean, means_[j]);
    for (int j = 0; j < 3; ++j) sum_columns_[j] = columns_.zeroed_sums(sums_[j]);
  }
  template <class From>
  void run(const From* from, const Tensor& more, const Tensor& y, const Tensor& dx, std::int64_t first,
           std::int64_t elements) const {
    const auto place = [first](const Tensor& tensor) { return tensor ? tensor.data<T>() + first : nullptr; };
    GradientPass<T, From>{.from = from,
                          .more = place(more),
                          .y = place(y),
                          .z = {place(norms_[0].z), place(norms_[1].z)},
                          .mean = {mean_columns_[0], mean_columns_[1]},
                          .sums = {sum_columns_[0], sum_columns_[1], sum_columns_[2]},
                          .g = place(dx)}
        .run({folding_, elements});
  }
  void finish() const {
    for (int j = 0; j < 2 && norms_[j].z; ++j) {
      float* const result = norms_[j].sums.template data<float>();
      const float* const rstd = norms_[j].rstd.template data<float>();
      for (std::int64_t c = 0; c < folding_.channels; ++c) {
        result[c] = static_cast<float>(folding_.total(sum_columns_[0], c));
        result[folding_.channels + c] =
            static_cast<float>(folding_.total(sum_columns_[1 + j], c) * static_cast<double>(rstd[c]));
      }
    }
  }

 private:
  const NormSums (&norms_)[2];
  Folding folding_;
  Columns columns_;
  std::size_t means_[2], sums_[3];
  const float* mean_columns_[2] = {};
  double* sum_columns_[3] = {};
};

}  // namespace mpdist::kernels::cpu
