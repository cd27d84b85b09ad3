// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv_norm.hpp"

#include <optional>

#include "kernels/cuda/aligned_operand.hpp"
#include "kernels/cuda/convolution.hpp"
#include "kernels/cuda/norm_passes.cuh"

namespace mpdist::kernels::cuda {

/// Sums: z - centre, (z - centre)^2.
template <class T>
struct StatisticsPass {
  static constexpr int kSums = 2, kGroup = kVector<T>;
  const T* z;
  const float* centre;

  struct State {
    float centre[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
    load_channels(centre, at, state.centre);
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&sums)[2][kGroup]) const {
    float value[kGroup];
    load_group(z, at, value);
#pragma unroll
    for (int k = 0; k < kGroup; ++k) {
      const float centred = value[k] - state.centre[k];
      sums[0][k] += centred;
      sums[1][k] = fmaf(centred, centred, sums[1][k]);
    }
  }
};

struct StoreStatistics {
  const float *centre, *gamma, *beta;
  float *mean, *rstd, *unbiased, *scale, *shift;
  double rows, epsilon;

  __device__ void operator()(std::int64_t c, const double (&sum)[2]) const {
    const double spread = fmax(sum[1] - sum[0] * sum[0] / rows, 0.0);
    mean[c] = static_cast<float>(static_cast<double>(centre[c]) + sum[0] / rows);
    rstd[c] = static_cast<float>(1.0 / sqrt(spread / rows + epsilon));
    unbiased[c] = static_cast<float>(spread / (rows - 1));
    scale[c] = gamma[c] * rstd[c];
    shift[c] = beta[c] - mean[c] * scale[c];
  }
};

struct SetInputGradientCoefficients {
  const float *gamma, *rstd, *sums;
  InputGradientCoefficients coefficients;
  std::int64_t channels, rows;

  __device__ void operator()(std::int64_t c) const {
    coefficients.set(c, gamma[c], rstd[c], sums[c], sums[channels + c], static_cast<double>(rows));
  }
};

namespace {

/// The centre is the mean of the first image.
template <class T>
void statistics(const Stream& stream, const ConvNormForward& a, void* partials, float* centre) {
  const T* const z = a.z.data<T>();
  const RowGrid image = row_grid_of<T>(a.z.rows(0, 1), {z}), all = row_grid_of<T>(a.z, {z});
  sum_rows<T>(stream, "conv_norm_forward", image, RowSumPass<T>{z}, partials,
              StoreMean{centre, static_cast<double>(image.rows)});
  const StoreStatistics store{centre,
                              a.gamma.data<float>(),
                              a.beta.data<float>(),
                              a.mean.data<float>(),
                              a.rstd.data<float>(),
                              a.unbiased_variance.data<float>(),
                              a.scale.data<float>(),
                              a.shift.data<float>(),
                              static_cast<double>(all.rows),
                              static_cast<double>(a.epsilon)};
  sum_rows<T>(stream, "conv_norm_forward", all, StatisticsPass<T>{z, centre}, partials, store);
}

/// A tensor that the libraries read or write, in the workspace where it has no place of its own that suits them.
struct Staged {
  Tensor own;  ///< may be empty
  bool apart;
  std::size_t place;

  Staged(const Tensor& tensor, const Shape& shape, DType type, bool apart_anyway, Scratch& scratch)
      : own(tensor),
        apart(apart_anyway || !tensor || !is_aligned_operand(tensor)),
        place(apart ? scratch.reserve(static_cast<std::size_t>(shape.elements()) * size_of(type)) : 0) {}
  Tensor at(const Scratch& scratch, const Tensor& like) const {
    return apart ? Tensor(scratch.at(place), like.shape(), like.dtype(), Device::cuda) : own;
  }
};

}  // namespace

void conv_norm_forward(Stream& stream, const ConvNormForward& a) {
  if (a.input.x) cuda::norm_apply(stream, a.input);
  const ForwardConvolution convolution({a.x, a.weight, a.geometry}, false, false);
  Scratch scratch;
  const AlignedOperand x(a.x, scratch), weight(a.weight, scratch), z(a.z, scratch);
  const std::size_t partials = with_compute_type(a.z.dtype(), [&]<class T>(T) {
    return scratch.reserve(a.gamma ? row_grid_of<T>(a.z, {}).partial_bytes(StatisticsPass<T>::kSums) : 0);
  });
  const std::size_t centre = scratch.reserve(float_bytes(a.z.shape()[3]));
  const std::size_t library = scratch.reserve(convolution.workspace_bytes(), kLibraryWorkspaceAlignment);
  scratch.open(stream);
  convolution.run(
      stream,
      {.x = x.loaded(stream), .weight = weight.loaded(stream), .y = z.data(), .workspace = scratch.at(library)});
  z.store(stream);
  if (!a.gamma) return;
  with_compute_type(a.z.dtype(),
                    [&]<class T>(T) { statistics<T>(stream, a, scratch.at(partials), scratch.floats(centre)); });
}

namespace {

class Backward {
 public:
  explicit Backward(const ConvNormBackward& a)
      : a_(a),
        operands_(a.x, a.weight, a.geometry),
        to_dx_(a.dx ? &data_plan(operands_) : nullptr),
        x_(a.x, scratch_),
        weight_(a.weight, scratch_),
        dweight_(a.dweight, scratch_),
        dz_(a.dz, a.z.shape(), a.z.dtype(), false, scratch_) {
    if (a.dweight) to_dweight_.emplace(operands_, a.accumulate, scratch_);
    // The convolution's result must not take the place of what is added to it.
    if (a.dx) dx_.emplace(a.dx, a.x.shape(), a.x.dtype(), a.dx_more && a.dx_more.raw() == a.dx.raw(), scratch_);
    for (std::size_t& place : coefficients_) place = scratch_.reserve(float_bytes(a.z.shape()[3]));
    const GradientPart part{a.dx, a.dx_more, a.mask ? a.x : Tensor(), a.dx, a.norms};
    shared_ = scratch_.reserve(std::max({a.dx ? partial_bytes_of(part) : 0, to_dx_ ? to_dx_->workspace_bytes() : 0,
                                         to_dweight_ ? to_dweight_->library_bytes() : 0}),
                               kLibraryWorkspaceAlignment);
  }

  void run(Stream& stream) {
    scratch_.open(stream);
    const Tensor dz = dz_.at(scratch_, a_.z);
    make_dz(stream, dz);
    if (to_dweight_) {
      if (a_.accumulate) dweight_.loaded(stream);
      to_dweight_->run(stream, x_.loaded(stream), dz.raw(), static_cast<float*>(dweight_.data()), scratch_.at(shared_));
      dweight_.store(stream);
    }
    if (to_dx_) make_dx(stream, dz);
  }

 private:
  void make_dz(const Stream& stream, const Tensor& dz) const {
    const InputGradientCoefficients coefficients{scratch_.floats(coefficients_[0]), scratch_.floats(coefficients_[1]),
                                                 scratch_.floats(coefficients_[2])};
    const std::int64_t channels = a_.gamma.elements();
    const SetInputGradientCoefficients set{
        a_.gamma.data<float>(),    a_.rstd.data<float>(), a_.sums.data<float>(), coefficients, channels,
        a_.z.elements() / channels};
    for_channels(stream, "conv_norm_backward", channels, set);
    norm_input_gradient(stream, a_.g, a_.z, a_.mean, coefficients, dz);
    if (a_.dz && dz_.apart) mpdist::cuda::copy(a_.dz.raw(), dz.raw(), dz.bytes(), stream.handle());
  }

  void make_dx(const Stream& stream, const Tensor& dz) const {
    const Tensor from = dx_->at(scratch_, a_.x);
    to_dx_->run(stream,
                {.x = from.raw(), .weight = weight_.loaded(stream), .y = dz.raw(), .workspace = scratch_.at(shared_)});
    const bool follows = a_.dx_more || a_.mask || a_.norms[0].z || dx_->apart;
    if (!follows) return;
    norm_gradient_part(stream, {from, a_.dx_more, a_.mask ? a_.x : Tensor(), a_.dx, a_.norms}, scratch_.at(shared_));
  }

  const ConvNormBackward& a_;
  ConvolutionOperands operands_;
  Scratch scratch_;
  const cudnn::ConvolutionPlan* to_dx_;
  AlignedOperand x_, weight_, dweight_;
  Staged dz_;
  std::optional<Staged> dx_;
  std::optional<WeightConvolution> to_dweight_;
  std::size_t coefficients_[3] = {}, shared_ = 0;
};

}  // namespace

void conv_norm_backward(Stream& stream, const ConvNormBackward& a) {
  Backward(a).run(stream);
}

}  // namespace mpdist::kernels::cuda
