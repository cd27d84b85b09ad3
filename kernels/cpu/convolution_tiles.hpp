// SPDX-License-Identifier: Apache-2.0
#pragma once
// What kernels around a convolution share: tiles of a few images, packed weights, and the two passes backward.
#include <algorithm>

#include "kernels/conv2d.hpp"
#include "kernels/cpu/onednn.hpp"
#include "kernels/cpu/tile_passes.hpp"
#include "kernels/scratch.hpp"

namespace mpdist::kernels::cpu {

using onednn::ConvolutionPass;
using onednn::ConvolutionPlan;

// A tile is a few images whose x and y fill at most this much FP32 memory, so that the passes around a convolution find
// them in a second-level cache. A constant, never derived from the machine: weight gradients are summed tile by tile.
inline constexpr std::int64_t kTileBytes = 512 * 1024;
inline constexpr std::int64_t kTileImages = 8;  // beyond, oneDNN's weight gradients slow down (measured)

/// Images of a tile. Large weights are read, and their gradients added, once a tile: there a tile may be as large as
/// they are.
inline std::int64_t tile_images(std::int64_t images, std::int64_t image_elements, std::int64_t weight_elements) {
  const auto bytes = static_cast<std::int64_t>(float_bytes(image_elements));
  const auto weight_bytes = static_cast<std::int64_t>(float_bytes(weight_elements));
  std::int64_t tile = weight_bytes > kTileBytes ? std::clamp<std::int64_t>(weight_bytes / bytes, 1, images)
                                                : std::clamp<std::int64_t>(kTileBytes / bytes, 1, kTileImages);
  while (images % tile != 0) --tile;  // equal tiles: one plan, and one layout of the weights
  return tile;
}

/// A convolution cut into tiles of images, in the type T as stored or widened to FP32.
template <class T>
struct Tiling {
  Tiling(const Tensor& x, const Tensor& weight, const Tensor& y, const Conv2dGeometry& geometry)
      : images(x.shape()[0]),
        x_image(x.elements() / images),
        y_image(y.elements() / images),
        out(weight.shape()[0]),
        native(onednn::is_native(dtype_of<T>)) {
    tile = tile_images(images, x_image + y_image, weight.elements());
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

  /// A tile as the plans read it.
  std::size_t operand_bytes(std::int64_t image) const {
    return static_cast<std::size_t>(tile * image) * (native ? sizeof(T) : sizeof(float));
  }
  /// Scratch for a tile of FP32 copies; none where the type is native.
  std::size_t copy_bytes(std::int64_t image) const { return native ? 0 : operand_bytes(image); }

  std::int64_t images, x_image, y_image, out, tile = 1;  ///< images; elements of one image
  bool native;
  onednn::ConvolutionShape shape;
};

/// The passes backward of a convolution, tile by tile: the gradients of weights (summed over the tiles) and of images.
template <class T>
class BackwardTiles {
 public:
  /// Either of the two may be left out: `data` false, dweight empty. Reserves its scratch.
  BackwardTiles(const Tiling<T>& tiling, const Tensor& weight, const Tensor& dweight, bool data, bool accumulate,
                Scratch& scratch)
      : tiling_(tiling),
        weight_(weight),
        dweight_(dweight),
        to_dx_(data ? &tiling.plan(ConvolutionPass::backward_data) : nullptr),
        to_dweight_(dweight ? &tiling.plan(ConvolutionPass::backward_weights) : nullptr),
        accumulate_(accumulate),
        scratch_(scratch) {
    const std::size_t weight_bytes = float_bytes(weight.elements());
    const std::size_t sum_bytes = to_dweight_ ? to_dweight_->packed_bytes() : 0;
    // The plain weights are needed before the first tile, the plain weight gradient after the last.
    wide_weight_ = scratch.reserve(
        std::max(to_dx_ ? to_dx_->wide_bytes(weight.dtype()) : 0, to_dweight_ && accumulate ? weight_bytes : 0));
    packed_ = scratch.reserve(to_dx_ ? to_dx_->packed_bytes() : 0);
    sum_ = scratch.reserve(sum_bytes);
    part_ = scratch.reserve(sum_bytes);
    wide_x_ = scratch.reserve(to_dx_ || to_dweight_ ? tiling.operand_bytes(tiling.x_image) : 0);
    library_ =
        scratch.reserve(std::max(to_dx_ ? to_dx_->scratch_bytes() : 0, to_dweight_ ? to_dweight_->scratch_bytes() : 0));
  }

  /// Once, when the scratch is open.
  void start() const {
    if (!to_dx_) return;
    to_dx_->pack(weight_.raw(), weight_.dtype(), scratch_.floats(wide_weight_), scratch_.at(packed_));
  }

  /// Adds a tile of x and g (the gradient of y, as the plans read it) to the weights' gradient.
  void weights(const T* x, const void* g, bool first) const {
    if (!to_dweight_) return;
    if (!tiling_.native) widen(x, tiling_.tile * tiling_.x_image, scratch_.floats(wide_x_));
    const void* const operand = tiling_.native ? x : scratch_.at(wide_x_);
    to_dweight_->run(operand, scratch_.at(first ? sum_ : part_), nullptr, g, scratch_.at(library_));
    const auto packed_elements = static_cast<std::int64_t>(to_dweight_->packed_bytes() / sizeof(float));
    if (!first) add_to(scratch_.floats(sum_), scratch_.floats(part_), packed_elements);
  }

  /// The gradient of a tile of x, in the type of the plan: in `target`, or in scratch where that is null. After
  /// weights().
  const void* data(const void* g, void* target = nullptr) const {
    void* const result = target ? target : scratch_.at(wide_x_);
    to_dx_->run(result, scratch_.at(packed_), nullptr, g, scratch_.at(library_));
    return result;
  }

  /// After the last tile.
  void finish() const {
    if (!to_dweight_) return;
    float* const dweight = dweight_.template data<float>();
    float* const plain = accumulate_ ? scratch_.floats(wide_weight_) : dweight;
    to_dweight_->unpack(scratch_.floats(sum_), plain);
    if (accumulate_) add_to(dweight, plain, dweight_.elements());
  }

 private:
  const Tiling<T>& tiling_;
  const Tensor &weight_, &dweight_;
  const ConvolutionPlan* to_dx_;
  const ConvolutionPlan* to_dweight_;
  bool accumulate_;
  Scratch& scratch_;
  std::size_t wide_weight_, packed_, sum_, part_, wide_x_, library_;
};

}  // namespace mpdist::kernels::cpu
