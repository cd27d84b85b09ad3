// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.hpp"

#include <algorithm>

#include "kernels/checks.hpp"
#include "kernels/cpu/convolution_tiles.hpp"

namespace mpdist::kernels {

Shape convolution_output(const char* kernel, const Tensor& x, const Tensor& weight, const Conv2dGeometry& geometry) {
  checks::compute_type(kernel, "x", x);
  require(x.shape().rank() == 4 && x.elements() > 0, "{}: x [n, h, w, in] expected, found {}", kernel,
          x.shape().to_string());
  const auto& [stride, padding, groups] = geometry;
  require(stride >= 1 && padding >= 0 && groups >= 1, "{}: stride and groups from 1, padding from 0; found {} {} {}",
          kernel, stride, groups, padding);
  const Shape& w = weight.shape();
  require(w.rank() == 4 && weight.elements() > 0 && w[3] * groups == x.shape()[3] && w[0] % groups == 0,
          "{}: weight [out, kernel_h, kernel_w, in/groups] for x {} and {} groups expected, found {}", kernel,
          x.shape().to_string(), groups, w.to_string());
  checks::operand(kernel, "weight", weight, w, x.dtype());
  const Shape y{x.shape()[0], geometry.output_extent(x.shape()[1], w[1]), geometry.output_extent(x.shape()[2], w[2]),
                w[0]};
  require(x.shape()[1] + 2 * padding >= w[1] && x.shape()[2] + 2 * padding >= w[2],
          "{}: kernel {} larger than the padded image {}", kernel, w.to_string(), x.shape().to_string());
  return y;
}

void Conv2dForward::validate() const {
  const Shape result = convolution_output("conv2d_forward", x, weight, geometry);
  if (bias) checks::operand("conv2d_forward", "bias", bias, {result[3]}, x.dtype());
  checks::operand("conv2d_forward", "y", y, result, x.dtype());
}

void Conv2dBackward::validate() const {
  const Shape result = convolution_output("conv2d_backward", x, weight, geometry);
  if (relu) checks::operand("conv2d_backward", "y", y, result, x.dtype());
  checks::operand("conv2d_backward", "dy", dy, result, x.dtype());
  if (dx) checks::operand("conv2d_backward", "dx", dx, x.shape(), x.dtype());
  if (dweight) checks::operand("conv2d_backward", "dweight", dweight, weight.shape(), DType::fp32);
  if (dbias) checks::operand("conv2d_backward", "dbias", dbias, {result[3]}, DType::fp32);
}

namespace cpu {
namespace {

template <class T>
void forward(Stream& stream, const Conv2dForward& args) {
  const Tiling<T> tiling(args.x, args.weight, args.y, args.geometry);
  const auto& plan = tiling.plan(ConvolutionPass::forward, static_cast<bool>(args.bias));
  Scratch scratch;
  const std::size_t wide_weight = scratch.reserve(plan.wide_bytes(args.weight.dtype()));
  const std::size_t packed = scratch.reserve(plan.packed_bytes());
  const std::size_t bias = scratch.reserve(float_bytes(tiling.out));
  const std::size_t wide_x = scratch.reserve(tiling.copy_bytes(tiling.x_image));
  const std::size_t result = scratch.reserve(float_bytes(tiling.tile * tiling.y_image));
  const std::size_t library = scratch.reserve(plan.scratch_bytes());
  scratch.open(stream);
  if (args.bias) widen(args.bias.data<T>(), tiling.out, scratch.floats(bias));
  plan.pack(args.weight.raw(), args.weight.dtype(), scratch.floats(wide_weight), scratch.at(packed));
  const std::int64_t x_tile = tiling.tile * tiling.x_image, y_tile = tiling.tile * tiling.y_image;
  const T* x = args.x.data<T>();
  T* y = args.y.data<T>();
  for (std::int64_t first = 0; first < tiling.images; first += tiling.tile, x += x_tile, y += y_tile) {
    if (!tiling.native) widen(x, x_tile, scratch.floats(wide_x));
    const void* const source = tiling.native ? x : scratch.at(wide_x);
    // ReLU on the way from hot scratch to y: oneDNN's own stores into memory that is not in cache are slower
    // (measured).
    void* const target = tiling.native && !args.relu ? y : scratch.at(result);
    plan.run(source, scratch.at(packed), scratch.floats(bias), target, scratch.at(library));
    if (!tiling.native) {
      narrow(scratch.floats(result), 1, y_tile, y, y_tile, args.relu);
    } else if (args.relu) {
      rectify(static_cast<const T*>(target), y, y_tile);
    }
  }
}

/// Tile by tile, while the tile is hot: mask and bias sums, then the gradient of the weights, then that of the images.
template <class T>
class Backward {
 public:
  Backward(Stream& stream, const Conv2dBackward& args)
      : args_(args),
        tiling_(args.x, args.weight, args.dy, args.geometry),
        tiles_(tiling_, args.weight, args.dweight, static_cast<bool>(args.dx), args.accumulate, scratch_),
        wide_g_(scratch_.reserve(tiling_.copy_bytes(tiling_.y_image))) {
    scratch_.open(stream);
    tiles_.start();
  }

  void run() {
    for (std::int64_t first = 0; first < tiling_.images; first += tiling_.tile) run_tile(first);
    tiles_.finish();
  }

 private:
  void run_tile(std::int64_t first) {
    T* const g = args_.dy.template data<T>() + first * tiling_.y_image;
    const T* const y = args_.relu ? args_.y.template data<T>() + first * tiling_.y_image : nullptr;
    float* const dbias = args_.dbias ? args_.dbias.template data<float>() : nullptr;
    float* const wide_g = tiling_.native ? nullptr : scratch_.floats(wide_g_);
    GradientTile<T>{g, y, wide_g, dbias, tiling_.tile * tiling_.y_image / tiling_.out, tiling_.out}.run();
    const void* const operand = wide_g ? static_cast<const void*>(wide_g) : g;
    tiles_.weights(args_.x.template data<T>() + first * tiling_.x_image, operand, first == 0);
    if (!args_.dx) return;
    T* const dx = args_.dx.template data<T>() + first * tiling_.x_image;
    const void* const result = tiles_.data(operand, tiling_.native ? dx : nullptr);
    const std::int64_t elements = tiling_.tile * tiling_.x_image;
    if (!tiling_.native) narrow(static_cast<const float*>(result), 1, elements, dx, elements, false);
  }

  const Conv2dBackward& args_;
  Tiling<T> tiling_;
  Scratch scratch_;
  BackwardTiles<T> tiles_;
  std::size_t wide_g_;
};

}  // namespace

void conv2d_forward(Stream& stream, const Conv2dForward& args) {
  with_compute_type(args.x.dtype(), [&]<class T>(T) { forward<T>(stream, args); });
}

void conv2d_backward(Stream& stream, const Conv2dBackward& args) {
  if (args.dbias && !args.accumulate) std::fill_n(args.dbias.data<float>(), args.dbias.elements(), 0.0F);
  with_compute_type(args.x.dtype(), [&]<class T>(T) { Backward<T>(stream, args).run(); });
}

}  // namespace cpu
}  // namespace mpdist::kernels
