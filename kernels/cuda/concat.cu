// SPDX-License-Identifier: Apache-2.0
#include "kernels/concat.hpp"

#include "kernels/cuda/rows.cuh"

namespace mpdist::kernels::cuda {

/// Copies rows of words, whose begins are the strides apart.
template <class Word>
__global__ void __launch_bounds__(kThreads)
    copy_rows_kernel(const Word* from, std::int64_t from_stride, Word* to, std::int64_t to_stride, RowBlocks grid) {
  for_item(grid,
           [&](std::int64_t row, std::int64_t word) { to[row * to_stride + word] = from[row * from_stride + word]; });
}

/// Rows in bytes.
struct RowCopy {
  const std::byte* from;
  std::byte* to;
  std::int64_t from_stride, to_stride, bytes, rows;

  template <class Word>
  bool fits() const {
    const auto places = reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
    const auto sizes = static_cast<std::uintptr_t>(from_stride | to_stride | bytes);
    return (places | sizes) % sizeof(Word) == 0;
  }

  template <class Word>
  void run(const Stream& stream, const char* name) const {
    constexpr std::int64_t kSize = sizeof(Word);
    const RowBlocks grid(rows, bytes / kSize);
    copy_rows_kernel<<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(
        reinterpret_cast<const Word*>(from), from_stride / kSize, reinterpret_cast<Word*>(to), to_stride / kSize, grid);
    check_launch(name);
  }

  /// In the widest words that the rows allow.
  void enqueue(const Stream& stream, const char* name) const {
    if (rows == 0 || bytes == 0) return;
    if (fits<uint4>()) {
      run<uint4>(stream, name);
    } else if (fits<unsigned>()) {
      run<unsigned>(stream, name);
    } else {
      run<unsigned short>(stream, name);
    }
  }
};

inline std::int64_t row_bytes(const Tensor& tensor) {
  return tensor.shape()[-1] * static_cast<std::int64_t>(size_of(tensor.dtype()));
}

inline std::int64_t rows_of(const Tensor& tensor) {
  return tensor.shape()[-1] > 0 ? tensor.elements() / tensor.shape()[-1] : 0;
}

/// From the begin of a row of `whole` to that of the part in it.
inline std::int64_t offset_bytes(const Tensor& whole, std::int64_t first) {
  return first * static_cast<std::int64_t>(size_of(whole.dtype()));
}

void concat_forward(Stream& stream, const ConcatForward& a) {
  RowCopy{.from = static_cast<const std::byte*>(a.part.raw()),
          .to = static_cast<std::byte*>(a.whole.raw()) + offset_bytes(a.whole, a.first),
          .from_stride = row_bytes(a.part),
          .to_stride = row_bytes(a.whole),
          .bytes = row_bytes(a.part),
          .rows = rows_of(a.part)}
      .enqueue(stream, "concat_forward");
}

void concat_backward(Stream& stream, const ConcatBackward& a) {
  RowCopy{.from = static_cast<const std::byte*>(a.dwhole.raw()) + offset_bytes(a.dwhole, a.first),
          .to = static_cast<std::byte*>(a.dpart.raw()),
          .from_stride = row_bytes(a.dwhole),
          .to_stride = row_bytes(a.dpart),
          .bytes = row_bytes(a.dpart),
          .rows = rows_of(a.dpart)}
      .enqueue(stream, "concat_backward");
}

}  // namespace mpdist::kernels::cuda
