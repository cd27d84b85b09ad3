// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.hpp"

#include <algorithm>

#include "kernels/checks.hpp"
#include "kernels/cpu/onednn.hpp"
#include "kernels/cpu/tile_passes.hpp"
#include "kernels/scratch.hpp"

namespace mpdist::kernels {
namespace {

/// Checks x and weight and returns the shape of y.
Shape require_product(const char* kernel, const Tensor& x, const Tensor& weight) {
  checks::compute_type(kernel, "x", x);
  require(x.shape().rank() == 2 && x.elements() > 0, "{}: x [rows, in] expected, found {}", kernel,
          x.shape().to_string());
  require(weight.shape().rank() == 2 && weight.shape()[1] == x.shape()[1] && weight.elements() > 0,
          "{}: weight [out, {}] expected, found {}", kernel, x.shape()[1], weight.shape().to_string());
  checks::operand(kernel, "weight", weight, weight.shape(), x.dtype());
  return {x.shape()[0], weight.shape()[0]};
}

}  // namespace

void LinearForward::validate() const {
  const Shape result = require_product("linear_forward", x, weight);
  if (bias) checks::operand("linear_forward", "bias", bias, {result[1]}, x.dtype());
  checks::operand("linear_forward", "y", y, result, x.dtype());
}

void LinearBackward::validate() const {
  const Shape result = require_product("linear_backward", x, weight);
  if (relu) checks::operand("linear_backward", "y", y, result, x.dtype());
  checks::operand("linear_backward", "dy", dy, result, x.dtype());
  if (dx) checks::operand("linear_backward", "dx", dx, x.shape(), x.dtype());
  if (dweight) checks::operand("linear_backward", "dweight", dweight, weight.shape(), DType::fp32);
  if (dbias) checks::operand("linear_backward", "dbias", dbias, {result[1]}, DType::fp32);
}

namespace cpu {
namespace {

// Constants, never derived from the machine, so that the bits are not. Where the type is not native, FP32 copies of a
// tile of rows and of a block of the weights live in scratch; 256 KB of FP32 weights stay in a second-level cache.
constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kBlockElements = 64 * 1024;
constexpr std::int64_t kProductRows = 64;  // rows of x to one forward product

/// How many of `count` vectors of `length` make a block: a multiple of 32, at least 32.
std::int64_t block_extent(std::int64_t count, std::int64_t length) {
  return std::min(count, std::max<std::int64_t>(32, kBlockElements / length / 32 * 32));
}

std::int64_t whole_vectors(std::int64_t elements) {
  return (elements + kLanes - 1) / kLanes * kLanes;
}

struct Sizes {
  explicit Sizes(const Tensor& x, const Tensor& weight)
      : rows(x.shape()[0]), in(x.shape()[1]), out(weight.shape()[0]) {}
  std::int64_t rows, in, out;
};

/// y^T[out, rows] = weight * x^T: oneDNN repacks its second operand, so that had better be the small one (measured: as
/// fast as with packed weights, 15 to 40 % faster than x * weight^T at 64 to 16 rows). x may be stored as its
/// transpose.
onednn::MatmulShape forward_shape(std::int64_t rows, std::int64_t out, std::int64_t in, DType type, bool x_transposed) {
  return {.rows = out,
          .columns = rows,
          .depth = in,
          .a_leading = in,
          .b_leading = x_transposed ? kProductRows : in,
          .c_leading = whole_vectors(rows),
          .b_transposed = !x_transposed,
          .operands = type};
}

onednn::MatmulShape data_shape(std::int64_t rows, std::int64_t out, std::int64_t in, DType type) {
  return {.rows = rows,
          .columns = in,
          .depth = out,
          .a_leading = out,
          .b_leading = in,
          .c_leading = in,
          .operands = type,
          .result = type};
}

onednn::MatmulShape weight_shape(const Sizes& e, std::int64_t rows, DType type, bool accumulate) {
  return {.rows = e.out,
          .columns = e.in,
          .depth = rows,
          .a_leading = e.out,
          .b_leading = e.in,
          .c_leading = e.in,
          .a_transposed = true,
          .operands = type,
          .accumulate = accumulate};
}

/// The operands as they are where the type is native; else FP32 copies: of x in transposed panels of kProductRows rows,
/// and of the weights of a block of outputs. Each product is finished (bias, ReLU, one rounding) while it is hot.
template <class T>
class Forward {
 public:
  Forward(Stream& stream, const LinearForward& args)
      : args_(args),
        s_(args.x, args.weight),
        native_(onednn::is_native(dtype_of<T>)),
        tile_(native_ ? s_.rows : std::min(s_.rows, kTileRows)),
        block_(native_ ? s_.out : block_extent(s_.out, s_.in)),
        panel_(whole_vectors(s_.in) * kProductRows) {
    const std::int64_t panels = (tile_ + kProductRows - 1) / kProductRows;
    wide_x_ = scratch_.reserve(native_ ? 0 : float_bytes(panels * panel_));
    wide_weight_ = scratch_.reserve(native_ ? 0 : float_bytes(block_ * s_.in));
    product_ = scratch_.reserve(float_bytes(whole_vectors(block_) * kProductRows));
    bias_ = scratch_.reserve(float_bytes(s_.out));
    library_ = scratch_.reserve(library_bytes());
    scratch_.open(stream);
    std::fill_n(scratch_.floats(bias_), s_.out, 0.0F);
    if (args.bias) widen(args.bias.template data<T>(), s_.out, scratch_.floats(bias_));
  }

  void run() const {
    for (std::int64_t first = 0; first < s_.rows; first += tile_) {
      const std::int64_t end = std::min(first + tile_, s_.rows);
      if (!native_) widen_panels(first, end);
      for (std::int64_t o = 0; o < s_.out; o += block_) run_block(first, end, o, std::min(block_, s_.out - o));
    }
  }

 private:
  const onednn::MatmulPlan& plan(std::int64_t rows, std::int64_t out) const {
    return onednn::plan(forward_shape(rows, out, s_.in, native_ ? dtype_of<T> : DType::fp32, !native_));
  }

  std::size_t library_bytes() const {
    std::size_t bytes = 0;
    for (std::int64_t rows : {std::min(kProductRows, s_.rows), s_.rows % kProductRows}) {
      for (std::int64_t out : {block_, s_.out % block_}) {
        if (rows && out) bytes = std::max(bytes, plan(rows, out).scratch_bytes());
      }
    }
    return bytes;
  }

  const T* x(std::int64_t row) const { return args_.x.template data<T>() + row * s_.in; }
  float* panel(std::int64_t row) const { return scratch_.floats(wide_x_) + row / kProductRows * panel_; }

  void widen_panels(std::int64_t first, std::int64_t end) const {
    for (std::int64_t r = first; r < end; r += kProductRows) {
      widen_transposed(x(r), std::min(kProductRows, end - r), s_.in, panel(r - first), kProductRows);
    }
  }

  void run_block(std::int64_t first, std::int64_t end, std::int64_t o, std::int64_t out) const {
    const T* const weight = args_.weight.template data<T>() + o * s_.in;
    if (!native_) widen(weight, out * s_.in, scratch_.floats(wide_weight_));
    for (std::int64_t r = first; r < end; r += kProductRows) {
      const std::int64_t rows = std::min(kProductRows, end - r);
      const void* const left = native_ ? weight : scratch_.at(wide_weight_);
      const void* const right = native_ ? static_cast<const void*>(x(r)) : panel(r - first);
      plan(rows, out).run(left, right, scratch_.at(product_), scratch_.at(library_));
      TransposedStore<T>{.from = scratch_.floats(product_),
                         .from_leading = whole_vectors(rows),
                         .bias = scratch_.floats(bias_) + o,
                         .to = args_.y.template data<T>() + r * s_.out + o,
                         .to_leading = s_.out,
                         .rows = rows,
                         .columns = out,
                         .relu = args_.relu}
          .run();
    }
  }

  const LinearForward& args_;
  Sizes s_;
  bool native_;
  std::int64_t tile_, block_, panel_;  ///< rows, outputs, elements
  Scratch scratch_;
  std::size_t wide_x_, wide_weight_, product_, bias_, library_;
};

float* dbias_or_null(const LinearBackward& args) {
  return args.dbias ? args.dbias.data<float>() : nullptr;
}

template <class T>
void backward_native(Stream& stream, const LinearBackward& args, const Sizes& e) {
  const T* y = args.relu ? args.y.data<T>() : nullptr;
  GradientTile<T>{args.dy.data<T>(), y, nullptr, dbias_or_null(args), e.rows, e.out}.run();
  const auto* to_dx = args.dx ? &onednn::plan(data_shape(e.rows, e.out, e.in, dtype_of<T>)) : nullptr;
  const auto* to_dweight =
      args.dweight ? &onednn::plan(weight_shape(e, e.rows, dtype_of<T>, args.accumulate)) : nullptr;
  Scratch scratch;
  const std::size_t library =
      scratch.reserve(std::max(to_dx ? to_dx->scratch_bytes() : 0, to_dweight ? to_dweight->scratch_bytes() : 0));
  scratch.open(stream);
  if (to_dx) to_dx->run(args.dy.raw(), args.weight.raw(), args.dx.raw(), scratch.at(library));
  if (to_dweight) to_dweight->run(args.dy.raw(), args.x.raw(), args.dweight.raw(), scratch.at(library));
}

template <class T>
class WidenedBackward {
 public:
  WidenedBackward(Stream& stream, const LinearBackward& args, const Sizes& sizes)
      : args_(args), e_(sizes), tile_(std::min(e_.rows, kTileRows)), block_(block_extent(e_.in, e_.out)) {
    g_ = scratch_.reserve(float_bytes(tile_ * e_.out));
    x_ = scratch_.reserve(args.dweight ? float_bytes(tile_ * e_.in) : 0);
    weight_ = scratch_.reserve(args.dx ? float_bytes(block_ * e_.out) : 0);
    dx_ = scratch_.reserve(args.dx ? float_bytes(tile_ * block_) : 0);
    library_ = scratch_.reserve(library_bytes());
    scratch_.open(stream);
  }

  void run() {
    for (std::int64_t first = 0; first < e_.rows; first += tile_) {
      const std::int64_t rows = std::min(tile_, e_.rows - first);
      const T* y = args_.relu ? args_.y.template data<T>() + first * e_.out : nullptr;
      T* g = args_.dy.template data<T>() + first * e_.out;
      GradientTile<T>{g, y, scratch_.floats(g_), dbias_or_null(args_), rows, e_.out}.run();
      if (args_.dx) run_data(first, rows);
      if (args_.dweight) run_weight(first, rows);
    }
  }

 private:
  const onednn::MatmulPlan& data_plan(std::int64_t rows, std::int64_t in) const {
    return onednn::plan(data_shape(rows, e_.out, in, DType::fp32));
  }
  const onednn::MatmulPlan& weight_plan(std::int64_t rows, bool accumulate) const {
    return onednn::plan(weight_shape(e_, rows, DType::fp32, accumulate));
  }

  std::size_t library_bytes() const {
    std::size_t bytes = 0;
    for (std::int64_t rows : {tile_, e_.rows % tile_}) {
      for (std::int64_t in : {block_, e_.in % block_}) {
        if (rows && in && args_.dx) bytes = std::max(bytes, data_plan(rows, in).scratch_bytes());
      }
      for (bool accumulate : {false, true}) {
        if (rows && args_.dweight) bytes = std::max(bytes, weight_plan(rows, accumulate).scratch_bytes());
      }
    }
    return bytes;
  }

  void run_data(std::int64_t first, std::int64_t rows) const {
    for (std::int64_t i = 0; i < e_.in; i += block_) {
      const std::int64_t in = std::min(block_, e_.in - i);
      widen(args_.weight.template data<T>() + i, e_.in, e_.out, in, scratch_.floats(weight_));
      data_plan(rows, in).run(scratch_.at(g_), scratch_.at(weight_), scratch_.at(dx_), scratch_.at(library_));
      narrow(scratch_.floats(dx_), rows, in, args_.dx.template data<T>() + first * e_.in + i, e_.in, false);
    }
  }

  void run_weight(std::int64_t first, std::int64_t rows) const {
    widen(args_.x.template data<T>() + first * e_.in, rows * e_.in, scratch_.floats(x_));
    weight_plan(rows, args_.accumulate || first > 0)
        .run(scratch_.at(g_), scratch_.at(x_), args_.dweight.raw(), scratch_.at(library_));
  }

  const LinearBackward& args_;
  Sizes e_;
  std::int64_t tile_, block_;  ///< rows, inputs
  Scratch scratch_;
  std::size_t g_, x_, weight_, dx_, library_;
};

}  // namespace

void linear_forward(Stream& stream, const LinearForward& args) {
  with_compute_type(args.x.dtype(), [&]<class T>(T) { Forward<T>(stream, args).run(); });
}

void linear_backward(Stream& stream, const LinearBackward& args) {
  const Sizes sizes(args.x, args.weight);
  if (args.dbias && !args.accumulate) std::fill_n(args.dbias.data<float>(), sizes.out, 0.0F);
  with_compute_type(args.x.dtype(), [&]<class T>(T) {
    if constexpr (dtype_of<T> != DType::fp16) {
      if (onednn::is_native(dtype_of<T>)) return backward_native<T>(stream, args, sizes);
    }
    if constexpr (dtype_of<T> != DType::fp32) WidenedBackward<T>(stream, args, sizes).run();
  });
}

}  // namespace cpu
}  // namespace mpdist::kernels
