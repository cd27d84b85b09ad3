// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.cuh"
#include "src/core/tensor.hpp"

/// Passes over arrays [rows, channels] that treat every row alike: scaling and shifting channels, sums over rows. A
/// thread owns a group of neighbouring channels (16 bytes of them) and goes down the rows, so what belongs to a channel
/// is read once and sums stay in registers. Who adds what follows from the shape alone, never from the device or from
/// where memory lies: sums run in FP32 over at most kMaxRowsPerThread rows, then in FP64 up a fixed tree.
namespace mpdist::kernels::cuda {

inline constexpr std::int64_t kMinRowsPerThread = 16, kMaxRowsPerThread = 64;
inline constexpr std::int64_t kManyRowBlocks = 1024;  // from here on a thread takes more rows

struct RowGrid {
  std::int64_t rows, channels;
  std::int64_t block_rows;  ///< consecutive rows of a block
  int lanes;                ///< threads of a block side by side, a power of two up to 32
  bool vectors;             ///< 16-byte accesses: all groups whole, all arrays 16-byte aligned

  template <class T>
  static RowGrid of(std::int64_t rows, std::int64_t channels, bool aligned) {
    const std::int64_t groups = (channels + kVector<T> - 1) / kVector<T>;
    int lanes = 1;
    while (lanes < 32 && lanes < groups) lanes *= 2;
    const std::int64_t height = kThreads / lanes;
    const std::int64_t per_thread = std::clamp((rows + height * kManyRowBlocks - 1) / (height * kManyRowBlocks),
                                               kMinRowsPerThread, kMaxRowsPerThread);
    return {rows, channels, height * per_thread, lanes, aligned && channels % kVector<T> == 0};
  }
  unsigned row_blocks() const { return static_cast<unsigned>((rows + block_rows - 1) / block_rows); }
  template <class T>
  unsigned channel_blocks() const {
    const std::int64_t wide = lanes * kVector<T>;
    return static_cast<unsigned>((channels + wide - 1) / wide);
  }
  /// Of the partial sums that sum_rows() needs.
  std::size_t partial_bytes(int sums) const {
    return static_cast<std::size_t>(sums) * row_blocks() * static_cast<std::size_t>(channels) * sizeof(double);
  }
};

/// The walk over a [..., channels] tensor by a pass that reads and writes `arrays` (null ones do not count).
template <class T>
RowGrid row_grid_of(const Tensor& tensor, std::initializer_list<const void*> arrays) {
  const std::int64_t channels = tensor.shape()[-1];
  const bool aligned = std::all_of(arrays.begin(), arrays.end(),
                                   [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
  return RowGrid::of<T>(tensor.elements() / channels, channels, aligned);
}

/// Where a thread stands: element `place` of the arrays, the first of `count` neighbouring channels from `channel` on.
struct GroupPlace {
  std::int64_t place, channel;
  int count;
  bool vectors;
};

/// A group of elements, exactly widened; 0 beyond `count`.
template <class T>
__device__ inline void load_group(const T* p, const GroupPlace& at, float (&value)[kVector<T>]) {
  if (at.vectors) {
    const auto whole = Vector<T>::read(p + at.place);
#pragma unroll
    for (int k = 0; k < kVector<T>; ++k) value[k] = widen(whole.element[k]);
  } else {
#pragma unroll
    for (int k = 0; k < kVector<T>; ++k) value[k] = k < at.count ? widen(p[at.place + k]) : 0.0F;
  }
}

template <class T>
__device__ inline void store_group(T* p, const GroupPlace& at, const float (&value)[kVector<T>]) {
  if (at.vectors) {
    Vector<T> whole;
#pragma unroll
    for (int k = 0; k < kVector<T>; ++k) whole.element[k] = narrow<T>(value[k]);
    whole.write(p + at.place);
  } else {
#pragma unroll
    for (int k = 0; k < kVector<T>; ++k) {
      if (k < at.count) p[at.place + k] = narrow<T>(value[k]);
    }
  }
}

/// The values of a group's channels in a [channels] array.
template <int kGroup>
__device__ inline void load_channels(const float* p, const GroupPlace& at, float (&value)[kGroup]) {
#pragma unroll
  for (int k = 0; k < kGroup; ++k) value[k] = k < at.count ? p[at.channel + k] : 0.0F;
}

/// The sums of a block: up a tree over its rows, in FP64. sums[s][k] belongs to channel at.channel + k.
template <class T, int kSums>
__device__ inline void store_partials(const RowGrid& grid, const GroupPlace& at, const float (&sums)[kSums][kVector<T>],
                                      double* partials) {
  __shared__ double tree[kVector<T>][kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  for (int s = 0; s < kSums; ++s) {
#pragma unroll
    for (int k = 0; k < kVector<T>; ++k) tree[k][thread] = static_cast<double>(sums[s][k]);
    __syncthreads();
    for (int half = kThreads / 2; half >= grid.lanes; half /= 2) {
      if (thread < half) {
#pragma unroll
        for (int k = 0; k < kVector<T>; ++k) tree[k][thread] += tree[k][thread + half];
      }
      __syncthreads();
    }
    if (thread < grid.lanes) {
      double* const to = partials + (static_cast<std::int64_t>(blockIdx.x) * kSums + s) * grid.channels + at.channel;
#pragma unroll
      for (int k = 0; k < kVector<T>; ++k) {
        if (k < at.count) to[k] = tree[k][thread];
      }
    }
    __syncthreads();
  }
}

/// Pass is a struct of pointers with
///   static constexpr int kSums;                                      number of sums over rows, may be 0
///   struct State;  __device__ State start(const GroupPlace&) const;   what belongs to the channels
///   __device__ void row(const State&, const GroupPlace&, float (&sums)[][kVector<T>]) const;   adds to the sums
template <class T, class Pass>
__global__ void __launch_bounds__(kThreads) row_pass_kernel(RowGrid grid, Pass pass, double* partials) {
  const int lane = static_cast<int>(threadIdx.x) % grid.lanes, height = kThreads / grid.lanes;
  GroupPlace at{};
  at.channel = (static_cast<std::int64_t>(blockIdx.y) * grid.lanes + lane) * kVector<T>;
  const std::int64_t left = grid.channels - at.channel;
  at.count = left < 0 ? 0 : left < kVector<T> ? static_cast<int>(left) : kVector<T>;
  at.vectors = grid.vectors;
  float sums[Pass::kSums > 0 ? Pass::kSums : 1][kVector<T>] = {};
  if (at.count > 0) {
    const auto state = pass.start(at);
    const std::int64_t first = blockIdx.x * grid.block_rows, beyond = min(first + grid.block_rows, grid.rows);
#pragma unroll 4
    for (std::int64_t r = first + threadIdx.x / grid.lanes; r < beyond; r += height) {
      at.place = r * grid.channels + at.channel;
      pass.row(state, at, sums);
    }
  }
  if constexpr (Pass::kSums > 0) store_partials<T, Pass::kSums>(grid, at, sums, partials);
}

inline constexpr int kTotalChannels = 8, kTotalSlices = kThreads / kTotalChannels;

/// finish(channel, sums) of every channel, the sums over all blocks of rows.
template <int kSums, class Finish>
__global__ void __launch_bounds__(kThreads)
    channel_totals_kernel(std::int64_t channels, std::int64_t row_blocks, const double* partials, Finish finish) {
  __shared__ double slices[kSums][kTotalSlices][kTotalChannels];
  const int column = static_cast<int>(threadIdx.x) % kTotalChannels,
            slice = static_cast<int>(threadIdx.x) / kTotalChannels;
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * kTotalChannels + column;
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    double sum = 0;
    if (channel < channels) {
#pragma unroll 4
      for (std::int64_t b = slice; b < row_blocks; b += kTotalSlices)
        sum += partials[(b * kSums + s) * channels + channel];
    }
    slices[s][slice][column] = sum;
  }
  __syncthreads();
  if (slice != 0 || channel >= channels) return;
  double sums[kSums];
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    sums[s] = 0;
    for (int i = 0; i < kTotalSlices; ++i) sums[s] += slices[s][i][column];
  }
  finish(channel, sums);
}

/// Runs a pass without sums.
template <class T, class Pass>
void run_rows(const Stream& stream, const char* name, const RowGrid& grid, const Pass& pass) {
  static_assert(Pass::kSums == 0);
  const dim3 blocks(grid.row_blocks(), grid.channel_blocks<T>());
  row_pass_kernel<T><<<blocks, kThreads, 0, handle(stream)>>>(grid, pass, nullptr);
  check_launch(name);
}

/// Runs a pass with sums; Finish is a struct with `__device__ void operator()(std::int64_t channel, const double
/// (&sums)[kSums]) const`. `partials`: grid.partial_bytes(kSums) of the stream's workspace.
template <class T, class Pass, class Finish>
void sum_rows(const Stream& stream, const char* name, const RowGrid& grid, const Pass& pass, void* partials,
              const Finish& finish) {
  auto* const sums = static_cast<double*>(partials);
  const dim3 blocks(grid.row_blocks(), grid.channel_blocks<T>());
  row_pass_kernel<T><<<blocks, kThreads, 0, handle(stream)>>>(grid, pass, sums);
  check_launch(name);
  const auto groups = static_cast<unsigned>((grid.channels + kTotalChannels - 1) / kTotalChannels);
  channel_totals_kernel<Pass::kSums>
      <<<groups, kThreads, 0, handle(stream)>>>(grid.channels, grid.row_blocks(), sums, finish);
  check_launch(name);
}

/// One thread a channel: compute(channel).
template <class Compute>
__global__ void __launch_bounds__(kThreads) channels_kernel(std::int64_t channels, Compute compute) {
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (channel < channels) compute(channel);
}

template <class Compute>
void for_channels(const Stream& stream, const char* name, std::int64_t channels, const Compute& compute) {
  const auto blocks = static_cast<unsigned>((channels + kThreads - 1) / kThreads);
  channels_kernel<<<blocks, kThreads, 0, handle(stream)>>>(channels, compute);
  check_launch(name);
}

}  // namespace mpdist::kernels::cuda
