// SPDX-License-Identifier: Apache-2.0
#include "kernels/deferred_norm.hpp"

#include <cmath>

#include "kernels/cpu/norm_tiles.hpp"

namespace mpdist::kernels {

void NormApply::validate() const {
  checks::alike("norm_apply", "x", x, "y", y);
  checks::per_channel("norm_apply", "scale", scale, x.shape()[-1]);
  checks::per_channel("norm_apply", "shift", shift, x.shape()[-1]);
  if (residual) checks::alike("norm_apply", "x", x, "residual", residual);
  if (!residual_scale) return;
  require(static_cast<bool>(residual), "norm_apply: residual_scale without residual");
  checks::per_channel("norm_apply", "residual_scale", residual_scale, x.shape()[-1]);
  checks::per_channel("norm_apply", "residual_shift", residual_shift, x.shape()[-1]);
}

void NormCoefficients::validate() const {
  checks::type_is("norm_coefficients", "gamma", gamma, DType::fp32);
  for (const Tensor* tensor : {&beta, &mean, &variance, &scale, &shift}) {
    checks::alike("norm_coefficients", "gamma", gamma, "channel array", *tensor);
  }
}

void NormSums::check(const char* kernel, const NormSums (&norms)[2], const Tensor& gradient) {
  require(norms[0].z || !norms[1].z, "{}: norms[1] without norms[0]", kernel);
  for (const NormSums& norm : norms) {
    if (!norm.z) continue;
    const std::int64_t channels = gradient.shape()[-1];
    checks::alike(kernel, "dx", gradient, "norms.z", norm.z);
    checks::per_channel(kernel, "norms.mean", norm.mean, channels);
    checks::per_channel(kernel, "norms.rstd", norm.rstd, channels);
    checks::operand(kernel, "norms.sums", norm.sums, {2, channels}, DType::fp32);
  }
}

void NormGradient::validate() const {
  checks::compute_type("norm_gradient", "dx", dx);
  if (y) checks::alike("norm_gradient", "dx", dx, "y", y);
  NormSums::check("norm_gradient", norms, dx);
}

namespace cpu {

void norm_apply(Stream& stream, const NormApply& args) {
  with_compute_type(args.x.dtype(), [&]<class T>(T) {
    Scratch scratch;
    Applier<T> applier(args, scratch);
    scratch.open(stream);
    applier.start();
    applier.run(0, args.x.elements(), nullptr);
  });
}

void norm_coefficients(Stream&, const NormCoefficients& args) {
  const float *gamma = args.gamma.data<float>(), *beta = args.beta.data<float>();
  const float *mean = args.mean.data<float>(), *variance = args.variance.data<float>();
  float *scale = args.scale.data<float>(), *shift = args.shift.data<float>();
  for (std::int64_t c = 0; c < args.gamma.elements(); ++c) {
    const double spread = static_cast<double>(variance[c]) + static_cast<double>(args.epsilon);
    scale[c] = gamma[c] * static_cast<float>(1.0 / std::sqrt(spread));
    shift[c] = beta[c] - mean[c] * scale[c];
  }
}

void norm_gradient(Stream& stream, const NormGradient& args) {
  with_compute_type(args.dx.dtype(), [&]<class T>(T) {
    Scratch scratch;
    GradientSums<T> gradient(args.dx, args.norms, scratch);
    scratch.open(stream);
    gradient.start();
    gradient.run(args.dx.data<T>(), Tensor(), args.y, args.dx, 0, args.dx.elements());
    gradient.finish();
  });
}

}  // namespace cpu
}  // namespace mpdist::kernels
