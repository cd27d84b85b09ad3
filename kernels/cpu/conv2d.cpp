// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.hpp"

#include <algorithm>

#include "kernels/checks.hpp"
#include "kernels/cpu/onednn.hpp"
#include "kernels/cpu/scratch.hpp"
#include "kernels/cpu/tile_passes.hpp"

namespace mpdist::kernels {
namespace {

/// Checks x, weight and geometry and returns the shape of y.
Shape require_convolution(const char* kernel, const Tensor& x, const Tensor& weight, const Conv2dGeometry& geometry) {
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

}  // namespace

void Conv2dForward::validate() const {
  const Shape result = require_convolution("conv2d_forward", x, weight, geometry);
  if (bias) checks::operand("conv2d_forward", "bias", bias, {result[3]}, x.dtype());
  checks::operand("conv2d_forward", "y", y, result, x.dtype());
}

void Conv2dBackward::validate() const {
  const Shape result = require_convolution("conv2d_backward", x, weight, geometry);
  if (relu) checks::operand("conv2d_backward", "y", y, result, x.dtype());
  checks::operand("conv2d_backward", "dy", dy, result, x.dtype());
  if (dx) checks::operand("conv2d_backward", "dx", dx, x.shape(), x.dtype());
  if (dweight) checks::operand("conv2d_backward", "dweight", dweight, weight.shape(), DType::fp32);
  if (dbias) checks::operand("conv2d_backward", "dbias", dbias, {result[3]}, DType::fp32);
}

namespace cpu {
namespace {

using onednn::ConvolutionPass;
using onednn::ConvolutionPlan;

// A tile is a few images whose x and y fill at most this much FP32 memory, so that the passes around a convolution find
// them in a second-level cache. A constant, never derived from the machine: weight gradients are summed tile by tile.
constexpr std::int64_t kTileBytes = 512 * 1024;
constexpr std::int64_t kTileImages = 8;  // beyond, oneDNN's weight gradients slow down (measured)

/// A convolution cut into tiles of images, in the type T as stored or widened to FP32.
template <class T>
struct Tiling {
  Tiling(const Tensor& x, const Tensor& weight, const Tensor& y, const Conv2dGeometry& geometry)
      : images(x.shape()[0]),
        x_image(x.elements() / images),
        y_image(y.elements() / images),
        out(weight.shape()[0]),
        native(onednn::is_native(dtype_of<T>)) {
    tile = std::clamp<std::int64_t>(kTileBytes / static_cast<std::int64_t>(float_bytes(x_image + y_image)), 1,
                                    kTileImages);
    while (images % tile != 0) --tile;  // equal tiles: one plan, and one layout of the weights
    const Shape &xs = x.shape(), &ws = weight.shape();
    shape = {.operands = native ? dtype_of<T> : DType::fp32,
             .images = tile,
             .height = xs[1],
             .width = xs[2],
             .in = xs[3],
             .out = out,
             .kernel_height = ws[1],
             .kernel_width = ws[2],
             .stride = geometry.stride,
             .padding = geometry.padding,
             .groups = geometry.groups};
  }

  const ConvolutionPlan& plan(ConvolutionPass pass, bool bias = false) const {
    onednn::ConvolutionShape key = shape;
    key.pass = pass;
    key.bias = bias;
    return onednn::plan(key);
  }

  /// Scratch for a tile of FP32 copies; none where the type is native.
  std::size_t copy_bytes(std::int64_t image) const { return native ? 0 : float_bytes(tile * image); }

  std::int64_t images, x_image, y_image, out, tile = 1;  ///< images; elements of one image
  bool native;
  onednn::ConvolutionShape shape;
};

/// Weights in the layout of the plan; `wide` holds their FP32 copy where the type is not native.
template <class T>
void pack(const Tensor& weight, bool native, const ConvolutionPlan& plan, float* wide, void* packed) {
  if (!native) widen(weight.data<T>(), weight.elements(), wide);
  plan.pack(native ? weight.raw() : wide, packed);
}

template <class T>
void forward(Stream& stream, const Conv2dForward& args) {
  const Tiling<T> tiling(args.x, args.weight, args.y, args.geometry);
  const auto& plan = tiling.plan(ConvolutionPass::forward, static_cast<bool>(args.bias));
  Scratch scratch;
  const std::size_t wide_weight = scratch.reserve(tiling.native ? 0 : float_bytes(args.weight.elements()));
  const std::size_t packed = scratch.reserve(plan.packed_bytes());
  const std::size_t bias = scratch.reserve(float_bytes(tiling.out));
  const std::size_t wide_x = scratch.reserve(tiling.copy_bytes(tiling.x_image));
  const std::size_t result = scratch.reserve(float_bytes(tiling.tile * tiling.y_image));
  const std::size_t library = scratch.reserve(plan.scratch_bytes());
  scratch.open(stream);
  if (args.bias) widen(args.bias.data<T>(), tiling.out, scratch.floats(bias));
  pack<T>(args.weight, tiling.native, plan, scratch.floats(wide_weight), scratch.at(packed));
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

/// Tile by tile, while the tile is hot: mask and bias sums, then the gradient of the images, then that of the weights.
template <class T>
class Backward {
 public:
  Backward(Stream& stream, const Conv2dBackward& args)
      : args_(args),
        tiling_(args.x, args.weight, args.dy, args.geometry),
        to_dx_(args.dx ? &tiling_.plan(ConvolutionPass::backward_data) : nullptr),
        to_dweight_(args.dweight ? &tiling_.plan(ConvolutionPass::backward_weights) : nullptr) {
    reserve();
    scratch_.open(stream);
    if (to_dx_) pack<T>(args.weight, tiling_.native, *to_dx_, scratch_.floats(wide_weight_), scratch_.at(packed_));
  }

  void run() {
    for (std::int64_t first = 0; first < tiling_.images; first += tiling_.tile) run_tile(first);
    if (to_dweight_) finish_dweight();
  }

 private:
  void reserve() {
    const std::size_t weight_bytes = float_bytes(args_.weight.elements());
    const std::size_t sum_bytes = to_dweight_ ? to_dweight_->packed_bytes() : 0;
    // The plain weights are needed before the first tile, the plain weight gradient after the last.
    wide_weight_ =
        scratch_.reserve((to_dx_ && !tiling_.native) || (to_dweight_ && args_.accumulate) ? weight_bytes : 0);
    packed_ = scratch_.reserve(to_dx_ ? to_dx_->packed_bytes() : 0);
    sum_ = scratch_.reserve(sum_bytes);
    part_ = scratch_.reserve(sum_bytes);
    wide_g_ = scratch_.reserve(tiling_.copy_bytes(tiling_.y_image));
    wide_x_ = scratch_.reserve(to_dx_ || to_dweight_ ? tiling_.copy_bytes(tiling_.x_image) : 0);
    library_ = scratch_.reserve(
        std::max(to_dx_ ? to_dx_->scratch_bytes() : 0, to_dweight_ ? to_dweight_->scratch_bytes() : 0));
  }

  void run_tile(std::int64_t first) {
    const std::int64_t x_tile = tiling_.tile * tiling_.x_image, y_tile = tiling_.tile * tiling_.y_image;
    T* const g = args_.dy.template data<T>() + first * tiling_.y_image;
    const T* const y = args_.relu ? args_.y.template data<T>() + first * tiling_.y_image : nullptr;
    float* const dbias = args_.dbias ? args_.dbias.template data<float>() : nullptr;
    float* const wide_g = tiling_.native ? nullptr : scratch_.floats(wide_g_);
    GradientTile<T>{g, y, wide_g, dbias, y_tile / tiling_.out, tiling_.out}.run();
    const void* const operand = wide_g ? static_cast<const void*>(wide_g) : g;
    if (to_dweight_) run_weight(args_.x.template data<T>() + first * tiling_.x_image, x_tile, operand, first == 0);
    if (to_dx_) run_data(args_.dx.template data<T>() + first * tiling_.x_image, x_tile, operand);
  }

  void run_data(T* dx, std::int64_t elements, const void* g) const {
    void* const result = tiling_.native ? dx : scratch_.at(wide_x_);
    to_dx_->run(result, scratch_.at(packed_), nullptr, g, scratch_.at(library_));
    if (!tiling_.native) narrow(scratch_.floats(wide_x_), 1, elements, dx, elements, false);
  }

  void run_weight(const T* x, std::int64_t elements, const void* g, bool first) const {
    if (!tiling_.native) widen(x, elements, scratch_.floats(wide_x_));
    const void* const operand = tiling_.native ? x : scratch_.at(wide_x_);
    to_dweight_->run(operand, scratch_.at(first ? sum_ : part_), nullptr, g, scratch_.at(library_));
    const auto packed_elements = static_cast<std::int64_t>(to_dweight_->packed_bytes() / sizeof(float));
    if (!first) add_to(scratch_.floats(sum_), scratch_.floats(part_), packed_elements);
  }

  void finish_dweight() const {
    float* const dweight = args_.dweight.template data<float>();
    float* const plain = args_.accumulate ? scratch_.floats(wide_weight_) : dweight;
    to_dweight_->unpack(scratch_.floats(sum_), plain);
    if (args_.accumulate) add_to(dweight, plain, args_.dweight.elements());
  }

  const Conv2dBackward& args_;
  Tiling<T> tiling_;
  const ConvolutionPlan* to_dx_;
  const ConvolutionPlan* to_dweight_;
  Scratch scratch_;
  std::size_t wide_weight_, packed_, sum_, part_, wide_g_, wide_x_, library_;
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
