// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>

#include "kernels/cpu/onednn.hpp"
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::benchmarks {

/// One linear or convolution layer, as a benchmark measures it: images of extent x extent pixels, stride 1, padding
/// kernel / 2. kernel 0: a linear layer, as a convolution of 1 x 1 images.
struct MatrixOperation {
  std::int64_t extent = 1, in = 0, out = 0, kernel = 0;
  bool input_gradient = true;  ///< false for the first layer
  std::int64_t side() const { return kernel > 0 ? kernel : 1; }
};

/// Seconds of CPU time.
struct Floor {
  double forward = 0, backward = 0;
};

/// Pseudo-random in [-scale, scale].
Tensor filled(Shape shape, DType type, std::uint64_t seed, float scale);

/// CPU time of the calling thread so far: what others take of its core does not count.
double cpu_seconds();

/// CPU seconds of one call, the best of nine rounds after one that does not count.
double best_seconds(const std::function<void()>& call);

/// The oneDNN primitives of the layer alone, on operands that stay in cache, at the tile size (convolutions) or order
/// of operands (forward products) that suits each best. `type` that oneDNN does not multiply here is that of FP32.
Floor matrix_floor(Stream& stream, const MatrixOperation& operation, std::int64_t images, DType type);

/// Seconds of one image in this pass of a convolution: the primitive alone on operands that stay in cache, at the tile
/// size (a divisor of `images`, up to 32) that suits it best.
double convolution_floor(Stream& stream, const kernels::cpu::onednn::ConvolutionShape& shape, std::int64_t images);

/// A copy that moves this many bytes: half of them read, half written.
double copy_floor(double bytes);

}  // namespace mpdist::benchmarks
