// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.hpp"

#include <optional>

#include "kernels/add.hpp"
#include "kernels/cuda/aligned_operand.hpp"
#include "kernels/cuda/convolution.hpp"
#include "kernels/cuda/cublaslt.hpp"
#include "kernels/cuda/masked_gradient.hpp"
#include "kernels/cuda/row_pass.cuh"
#include "kernels/relu.hpp"

namespace mpdist::kernels::cuda {

/// Every row = bias.
template <class T>
struct BroadcastPass {
  static constexpr int kSums = 0, kGroup = kVector<T>;
  const T* bias;
  T* y;

  struct State {
    float bias[kGroup];
  };
  __device__ State start(const GroupPlace& at) const {
    State state;
#pragma unroll
    for (int k = 0; k < kGroup; ++k) state.bias[k] = k < at.count ? widen(bias[at.channel + k]) : 0.0F;
    return state;
  }
  __device__ void row(const State& state, const GroupPlace& at, float (&)[1][kGroup]) const {
    store_group(y, at, state.bias);
  }
};

/// What a row of columns is made of: [groups, kernel_h, kernel_w, group_in] elements.
struct ColumnShape {
  std::int64_t height, width, in;
  int kernel_height, kernel_width, out_height, out_width, stride, padding, group_in;

  explicit ColumnShape(const ConvolutionOperands& c)
      : height(c.x[1]),
        width(c.x[2]),
        in(c.x[3]),
        kernel_height(static_cast<int>(c.weight[1])),
        kernel_width(static_cast<int>(c.weight[2])),
        out_height(static_cast<int>(c.out_height())),
        out_width(static_cast<int>(c.out_width())),
        stride(static_cast<int>(c.geometry.stride)),
        padding(static_cast<int>(c.geometry.padding)),
        group_in(static_cast<int>(c.weight[3])) {}
  int taps() const { return kernel_height * kernel_width; }
  std::int64_t elements() const { return in * taps(); }
};

/// columns[r] = what lies under place `first` + r of y, zeros outside the image. `items` packs of kN elements; a
/// group's channels are whole packs.
template <class T, int kN>
__global__ void __launch_bounds__(kThreads)
    gather_columns_kernel(const T* x, T* columns, ColumnShape s, std::int64_t first, int items) {
  const int row_packs = static_cast<int>(s.in / kN) * s.kernel_height * s.kernel_width;
  const int stride = static_cast<int>(gridDim.x) * kThreads;
  for (int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x); i < items; i += stride) {
    const int e = i % row_packs * kN, channel = e % s.group_in, taps = s.kernel_height * s.kernel_width;
    const int group = e / s.group_in / taps, tap = e / s.group_in % taps;
    const std::int64_t place = first + i / row_packs;
    const int column = static_cast<int>(place % s.out_width),
              line = static_cast<int>(place / s.out_width % s.out_height);
    const std::int64_t image = place / s.out_width / s.out_height;
    const int h = line * s.stride + tap / s.kernel_width - s.padding;
    const int w = column * s.stride + tap % s.kernel_width - s.padding;
    Pack<T, kN> pack{};
    if (h >= 0 && h < s.height && w >= 0 && w < s.width) {
      pack = Pack<T, kN>::read(x + ((image * s.height + h) * s.width + w) * s.in + group * s.group_in + channel);
    }
    pack.write(columns + static_cast<std::int64_t>(i) * kN);
  }
}

namespace {

constexpr std::int64_t kColumnBytes = std::int64_t{32} << 20;  // of a chunk
constexpr std::int64_t kChunkRows = 64;                        // a chunk is a multiple, so that it begins aligned

/// Rows of columns that are gathered at once.
std::int64_t chunk_rows(const ConvolutionOperands& c) {
  const std::int64_t row_bytes = ColumnShape(c).elements() * static_cast<std::int64_t>(size_of(c.type));
  return std::min(c.places(), std::max(kColumnBytes / row_bytes / kChunkRows, std::int64_t{1}) * kChunkRows);
}

/// dweight[out, taps*in/groups] = dy[rows, out]^T * columns[rows, taps*in/groups], group by group.
cublaslt::MatmulShape columns_product(const ConvolutionOperands& c, std::int64_t rows) {
  const std::int64_t groups = c.geometry.groups, out = c.weight[0], elements = ColumnShape(c).elements();
  return {.rows = out / groups,
          .columns = elements / groups,
          .depth = rows,
          .a_transposed = true,
          .operands = c.type,
          .result = DType::fp32,
          .a_leading = out,
          .b_leading = elements,
          .batch = groups,
          .a_stride = out / groups,
          .b_stride = elements / groups};
}

template <class T, int kN>
void gather_columns(const Stream& stream, const ColumnShape& s, const void* x, void* columns, std::int64_t first,
                    std::int64_t rows) {
  const std::int64_t items = rows * s.elements() / kN;
  gather_columns_kernel<T, kN><<<blocks_for(items, kThreads), kThreads, 0, handle(stream)>>>(
      static_cast<const T*>(x), static_cast<T*>(columns), s, first, static_cast<int>(items));
  check_launch("gather_columns");
}

[[noreturn]] void no_engine(const ConvolutionOperands& c, const char* pass) {
  throw Unsupported(
      fmt::format("cuDNN has no deterministic engine with FP32 sums within {} MiB of workspace for the {} pass of a {} "
                  "convolution of {} by {}, stride {}, padding {}, groups {}",
                  kLibraryWorkspaceBytes >> 20, pass, name_of(c.type), c.x.to_string(), c.weight.to_string(),
                  c.geometry.stride, c.geometry.padding, c.geometry.groups));
}

}  // namespace

cudnn::ConvolutionShape ConvolutionOperands::shape(cudnn::ConvolutionPass pass) const {
  return {.pass = pass,
          .operands = type,
          .result = type,
          .images = x[0],
          .height = x[1],
          .width = x[2],
          .in = x[3],
          .out = weight[0],
          .kernel_height = weight[1],
          .kernel_width = weight[2],
          .stride = geometry.stride,
          .padding = geometry.padding,
          .groups = geometry.groups};
}

ForwardConvolution::ForwardConvolution(const ConvolutionOperands& operands, bool bias, bool relu)
    : operands_(operands) {
  cudnn::ConvolutionShape shape = operands.shape(cudnn::ConvolutionPass::forward);
  shape.bias = bias;
  shape.relu = relu;
  plan_ = cudnn::find_plan(shape);
  if (!plan_ && relu) {
    relu_left_ = true;
    shape.relu = false;
    plan_ = cudnn::find_plan(shape);
  }
  if (!plan_ && bias) {
    bias_first_ = true;
    shape.bias = false;
    shape.accumulate = true;
    plan_ = cudnn::find_plan(shape);
  }
  if (!plan_) no_engine(operands, "forward");
}

void ForwardConvolution::run(const Stream& stream, cudnn::ConvolutionArrays arrays) const {
  if (bias_first_) {
    with_compute_type(operands_.type, [&]<class T>(T) {
      const BroadcastPass<T> pass{static_cast<const T*>(arrays.bias), static_cast<T*>(const_cast<void*>(arrays.y))};
      run_rows<T>(stream, "conv2d_forward", RowGrid::of<T>(operands_.places(), operands_.weight[0], true), pass);
    });
    arrays.bias = nullptr;
  }
  plan_->run(stream, arrays);
}

const cudnn::ConvolutionPlan& data_plan(const ConvolutionOperands& operands) {
  const cudnn::ConvolutionPlan* const plan = cudnn::find_plan(operands.shape(cudnn::ConvolutionPass::backward_data));
  if (!plan) no_engine(operands, "backward data");
  return *plan;
}

WeightConvolution::WeightConvolution(const ConvolutionOperands& operands, bool accumulate, Scratch& scratch)
    : operands_(operands), accumulate_(accumulate), scratch_(scratch) {
  cudnn::ConvolutionShape shape = operands.shape(cudnn::ConvolutionPass::backward_weights);
  shape.result = DType::fp32;
  plan_ = cudnn::find_plan(shape);
  if (!plan_) {
    const std::int64_t elements = chunk_rows(operands) * ColumnShape(operands).elements();
    columns_ = scratch.reserve(static_cast<std::size_t>(elements) * size_of(operands.type));
  }
  if (accumulate) sum_ = scratch.reserve(float_bytes(operands.weight.elements()));
}

std::size_t WeightConvolution::library_bytes() const {
  if (plan_) return plan_->workspace_bytes();
  const std::int64_t chunk = chunk_rows(operands_), last = operands_.places() % chunk;
  const auto bytes = [&](std::int64_t rows) {
    return cublaslt::plan(columns_product(operands_, rows)).workspace_bytes();
  };
  return std::max(bytes(chunk), last ? bytes(last) : 0);
}

void WeightConvolution::run(Stream& stream, const void* x, const void* dy, float* dweight, void* library) const {
  float* const result = accumulate_ ? scratch_.floats(sum_) : dweight;
  if (plan_) {
    plan_->run(stream, {.x = x, .weight = result, .y = dy, .workspace = library});
  } else {
    run_columns(stream, x, dy, result, library);
  }
  if (!accumulate_) return;  // in one piece, after all of it
  const auto view = [&](float* data) { return Tensor(data, operands_.weight, DType::fp32, Device::cuda); };
  add(stream, {.left = view(dweight), .right = view(result), .out = view(dweight)});
}

void WeightConvolution::run_columns(const Stream& stream, const void* x, const void* dy, float* dweight,
                                    void* library) const {
  const ColumnShape shape(operands_);
  const std::int64_t all = operands_.places(), chunk = chunk_rows(operands_), out = operands_.weight[0];
  void* const columns = scratch_.at(columns_);
  with_compute_type(operands_.type, [&]<class T>(T) {
    for (std::int64_t first = 0; first < all; first += chunk) {
      const std::int64_t rows = std::min(chunk, all - first);
      if (shape.group_in % kVector<T> == 0) {
        gather_columns<T, kVector<T>>(stream, shape, x, columns, first, rows);
      } else {
        gather_columns<T, 1>(stream, shape, x, columns, first, rows);
      }
      cublaslt::plan(columns_product(operands_, rows))
          .run(stream,
               {.a = static_cast<const T*>(dy) + first * out, .b = columns, .result = dweight, .workspace = library},
               first > 0);
    }
  });
}

void conv2d_forward(Stream& stream, const Conv2dForward& a) {
  const ForwardConvolution convolution({a.x, a.weight, a.geometry}, static_cast<bool>(a.bias), a.relu);
  Scratch scratch;
  const AlignedOperand x(a.x, scratch), weight(a.weight, scratch), bias(a.bias, scratch), y(a.y, scratch);
  const std::size_t library = scratch.reserve(convolution.workspace_bytes(), kLibraryWorkspaceAlignment);
  scratch.open(stream);
  convolution.run(stream, {.x = x.loaded(stream),
                           .weight = weight.loaded(stream),
                           .y = y.data(),
                           .bias = bias.loaded(stream),
                           .workspace = scratch.at(library)});
  y.store(stream);
  if (convolution.is_relu_left()) relu_forward(stream, {.x = a.y, .y = a.y});
}

void conv2d_backward(Stream& stream, const Conv2dBackward& a) {
  const ConvolutionOperands operands(a.x, a.weight, a.geometry);
  const MaskedGradient gradient{a.relu ? a.y : Tensor(), a.dy, a.dbias, a.accumulate};
  const cudnn::ConvolutionPlan* const to_dx = a.dx ? &data_plan(operands) : nullptr;
  Scratch scratch;
  std::optional<WeightConvolution> to_dweight;
  if (a.dweight) to_dweight.emplace(operands, a.accumulate, scratch);
  const AlignedOperand x(a.x, scratch), weight(a.weight, scratch), g(a.dy, scratch), dx(a.dx, scratch),
      dweight(a.dweight, scratch);
  const std::size_t library = scratch.reserve(std::max({gradient.partial_bytes(), to_dx ? to_dx->workspace_bytes() : 0,
                                                        to_dweight ? to_dweight->library_bytes() : 0}),
                                              kLibraryWorkspaceAlignment);
  scratch.open(stream);
  gradient.run(stream, scratch.at(library));
  const void* const dy = g.loaded(stream);
  if (to_dx) {
    to_dx->run(stream, {.x = dx.data(), .weight = weight.loaded(stream), .y = dy, .workspace = scratch.at(library)});
    dx.store(stream);
  }
  if (to_dweight) {
    if (a.accumulate) dweight.loaded(stream);
    to_dweight->run(stream, x.loaded(stream), dy, static_cast<float*>(dweight.data()), scratch.at(library));
    dweight.store(stream);
  }
}

}  // namespace mpdist::kernels::cuda
