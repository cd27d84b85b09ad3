// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv_norm.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "kernels/checks.hpp"
#include "kernels/cpu/convolution_tiles.hpp"
#include "kernels/cpu/norm_tiles.hpp"

namespace mpdist::kernels {

void ConvNormForward::validate() const {
  const Shape result = convolution_output("conv_norm_forward", x, weight, geometry);
  checks::operand("conv_norm_forward", "z", z, result, x.dtype());
  if (input.x) {
    input.validate();
    require(input.y.raw() == x.raw() && input.y.shape() == x.shape(), "conv_norm_forward: input.y must be x");
  }
  if (!gamma) return;
  for (const auto& [name, tensor] : {std::pair{"gamma", &gamma},
                                     {"beta", &beta},
                                     {"mean", &mean},
                                     {"rstd", &rstd},
                                     {"unbiased_variance", &unbiased_variance},
                                     {"scale", &scale},
                                     {"shift", &shift}}) {
    checks::per_channel("conv_norm_forward", name, *tensor, result[3]);
  }
  require(z.elements() >= 2 * result[3], "conv_norm_forward: a channel needs 2 values or more, found z {}",
          result.to_string());
}

void ConvNormBackward::validate() const {
  const char* const kernel = "conv_norm_backward";
  const Shape result = convolution_output(kernel, x, weight, geometry);
  checks::operand(kernel, "z", z, result, x.dtype());
  checks::alike(kernel, "z", z, "g", g);
  checks::per_channel(kernel, "gamma", gamma, result[3]);
  checks::per_channel(kernel, "mean", mean, result[3]);
  checks::per_channel(kernel, "rstd", rstd, result[3]);
  checks::operand(kernel, "sums", sums, {2, result[3]}, DType::fp32);
  if (dweight) checks::operand(kernel, "dweight", dweight, weight.shape(), DType::fp32);
  if (dz) checks::alike(kernel, "z", z, "dz", dz);
  if (dx) checks::alike(kernel, "x", x, "dx", dx);
  require(dx || !(dx_more || mask || norms[0].z), "{}: dx_more, mask and norms need dx", kernel);
  if (dx_more) checks::alike(kernel, "dx", dx, "dx_more", dx_more);
  if (dx) NormSums::check(kernel, norms, dx);
}

namespace cpu {
namespace {

/// The statistics of z, a tile at a time.
template <class T>
class Statistics {
 public:
  Statistics(const ConvNormForward& args, Scratch& scratch)
      : args_(args),
        image_(args.z.elements() / args.z.shape()[0]),
        folding_(rows_of_image(args.z), args.z.shape()[-1]),
        columns_(folding_, scratch),
        centre_(columns_.reserve_floats()),
        sums_{columns_.reserve_sums(), columns_.reserve_sums()},
        scratch_(scratch) {}

  /// A tile of z, as the convolution left it.
  template <class From>
  void run(std::int64_t first, std::int64_t elements, const From* from) {
    T* const z = args_.z.template data<T>() + first;
    if (first == 0) start(z, from);
    StatisticsPass<T, From>{from, z, scratch_.floats(centre_), {sums(0), sums(1)}}.run({folding_, elements});
  }

  void finish() const {
    const std::int64_t channels = folding_.channels;
    const auto rows = static_cast<double>(args_.z.elements() / channels);
    for (std::int64_t c = 0; c < channels; ++c) {
      const double sum = folding_.total(sums(0), c);
      const double mean = static_cast<double>(scratch_.floats(centre_)[c]) + sum / rows;
      const double spread = std::max(folding_.total(sums(1), c) - sum * sum / rows, 0.0);
      const double rstd = 1.0 / std::sqrt(spread / rows + static_cast<double>(args_.epsilon));
      const auto at = [c](const Tensor& tensor) -> float& { return tensor.data<float>()[c]; };
      at(args_.mean) = static_cast<float>(mean);
      at(args_.rstd) = static_cast<float>(rstd);
      at(args_.unbiased_variance) = static_cast<float>(spread / (rows - 1));
      at(args_.scale) = at(args_.gamma) * at(args_.rstd);
      at(args_.shift) = at(args_.beta) - at(args_.mean) * at(args_.scale);
    }
  }

 private:
  double* sums(int which) const { return static_cast<double*>(scratch_.at(sums_[which])); }

  /// The centre: the mean of the first image.
  template <class From>
  void start(T* z, const From* from) {
    float* const centre = scratch_.floats(centre_);
    std::fill_n(centre, folding_.padded(), 0.0F);
    double* const sum = columns_.zeroed_sums(sums_[0]);
    columns_.zeroed_sums(sums_[1]);
    StatisticsPass<T, From>{from, z, centre, {sum, sums(1)}}.run({folding_, image_});
    const auto rows = static_cast<double>(image_ / folding_.channels);
    for (std::int64_t i = 0; i < folding_.width(); ++i) {
      centre[i] = static_cast<float>(folding_.total(sum, i % folding_.channels) / rows);
    }
    columns_.zeroed_sums(sums_[0]);
    columns_.zeroed_sums(sums_[1]);
  }

  const ConvNormForward& args_;
  std::int64_t image_;
  Folding folding_;
  Columns columns_;
  std::size_t centre_, sums_[2];
  Scratch& scratch_;
};

template <class T>
void forward(Stream& stream, const ConvNormForward& args) {
  const Tiling<T> tiling(args.x, args.weight, args.z, args.geometry);
  const auto& plan = tiling.plan(ConvolutionPass::forward);
  Scratch scratch;
  std::optional<Applier<T>> input;
  if (args.input.x) input.emplace(args.input, scratch);
  std::optional<Statistics<T>> statistics;
  if (args.gamma) statistics.emplace(args, scratch);
  const std::size_t wide_weight = scratch.reserve(plan.wide_bytes(args.weight.dtype()));
  const std::size_t packed = scratch.reserve(plan.packed_bytes());
  const std::size_t wide_x = scratch.reserve(tiling.copy_bytes(tiling.x_image));
  const std::size_t hot_z = scratch.reserve(tiling.operand_bytes(tiling.y_image));
  const std::size_t library = scratch.reserve(plan.scratch_bytes());
  scratch.open(stream);
  if (input) input->start();
  plan.pack(args.weight.raw(), args.weight.dtype(), scratch.floats(wide_weight), scratch.at(packed));
  const std::int64_t x_tile = tiling.tile * tiling.x_image, z_tile = tiling.tile * tiling.y_image;
  for (std::int64_t x = 0, z = 0; x < args.x.elements(); x += x_tile, z += z_tile) {
    const T* const source = args.x.template data<T>() + x;
    T* const result = args.z.template data<T>() + z;
    float* const wide = tiling.native ? nullptr : scratch.floats(wide_x);
    if (input) {
      input->run(x, x_tile, wide);
    } else if (wide) {
      widen(source, x_tile, wide);
    }
    // Into hot scratch first, in any type: oneDNN's own stores into memory that is not in cache are slow (measured).
    const bool direct = tiling.native && !statistics;
    void* const target = direct ? static_cast<void*>(result) : scratch.at(hot_z);
    plan.run(wide ? static_cast<const void*>(wide) : source, scratch.at(packed), nullptr, target, scratch.at(library));
    if (!statistics) {
      if (!direct) narrow(scratch.floats(hot_z), 1, z_tile, result, z_tile, false);
    } else if (tiling.native) {
      statistics->run(z, z_tile, static_cast<const T*>(target));
    } else {
      statistics->run(z, z_tile, scratch.floats(hot_z));
    }
  }
  if (statistics) statistics->finish();
}

template <class T>
class Backward {
 public:
  Backward(Stream& stream, const ConvNormBackward& args)
      : args_(args),
        tiling_(args.x, args.weight, args.z, args.geometry),
        folding_(rows_of_image(args.z), args.z.shape()[-1]),
        columns_(folding_, scratch_),
        tiles_(tiling_, args.weight, args.dweight, static_cast<bool>(args.dx), args.accumulate, scratch_),
        operand_(scratch_.reserve(tiling_.operand_bytes(tiling_.y_image))) {
    for (std::size_t& place : coefficients_) place = columns_.reserve_floats();
    if (args.dx) gradient_.emplace(args.dx, args.norms, scratch_);
    scratch_.open(stream);
    set_coefficients();
    if (gradient_) gradient_->start();
    tiles_.start();
  }

  void run() {
    for (std::int64_t first = 0; first < tiling_.images; first += tiling_.tile) {
      tiling_.native ? run_tile<T>(first) : run_tile<float>(first);
    }
    tiles_.finish();
    if (gradient_) gradient_->finish();
  }

 private:
  void set_coefficients() {
    const auto rows = static_cast<double>(args_.z.elements() / folding_.channels);
    const float *gamma = args_.gamma.template data<float>(), *rstd = args_.rstd.template data<float>();
    const float* sums = args_.sums.template data<float>();
    float* const a = scratch_.floats(coefficients_[0]);
    float* const b = scratch_.floats(coefficients_[1]);
    float* const c = scratch_.floats(coefficients_[2]);
    for (std::int64_t i = 0; i < folding_.width(); ++i) {
      const std::int64_t channel = i % folding_.channels;
      const auto spread = static_cast<double>(rstd[channel]);
      const double outer = static_cast<double>(gamma[channel]) * spread;
      a[i] = static_cast<float>(outer);
      b[i] = static_cast<float>(-outer * static_cast<double>(sums[folding_.channels + channel]) / rows * spread);
      c[i] = static_cast<float>(-outer * static_cast<double>(sums[channel]) / rows);
    }
    columns_.repeat(args_.mean, coefficients_[3]);
  }

  template <class Operand>
  void run_tile(std::int64_t first) {
    const std::int64_t x = first * tiling_.x_image, z = first * tiling_.y_image;
    auto* const operand = static_cast<Operand*>(scratch_.at(operand_));
    NormBackwardPass<T, Operand>{.g = args_.g.template data<T>() + z,
                                 .z = args_.z.template data<T>() + z,
                                 .mean = scratch_.floats(coefficients_[3]),
                                 .a = scratch_.floats(coefficients_[0]),
                                 .b = scratch_.floats(coefficients_[1]),
                                 .c = scratch_.floats(coefficients_[2]),
                                 .dz = args_.dz ? args_.dz.template data<T>() + z : nullptr,
                                 .operand = operand,
                                 .next = args_.x.template data<T>() + x,
                                 .next_elements = tiling_.tile * tiling_.x_image}
        .run({folding_, tiling_.tile * tiling_.y_image});
    tiles_.weights(args_.x.template data<T>() + x, operand, first == 0);
    if (!gradient_) return;
    const auto* const result = static_cast<const Operand*>(tiles_.data(operand));
    gradient_->run(result, args_.dx_more, args_.mask ? args_.x : Tensor(), args_.dx, x, tiling_.tile * tiling_.x_image);
  }

  const ConvNormBackward& args_;
  Tiling<T> tiling_;
  Scratch scratch_;
  Folding folding_;
  Columns columns_;
  BackwardTiles<T> tiles_;
  std::size_t operand_, coefficients_[4];
  std::optional<GradientSums<T>> gradient_;
};

}  // namespace

void conv_norm_forward(Stream& stream, const ConvNormForward& args) {
  with_compute_type(args.x.dtype(), [&]<class T>(T) { forward<T>(stream, args); });
}

void conv_norm_backward(Stream& stream, const ConvNormBackward& args) {
  with_compute_type(args.x.dtype(), [&]<class T>(T) { Backward<T>(stream, args).run(); });
}

}  // namespace cpu
}  // namespace mpdist::kernels
