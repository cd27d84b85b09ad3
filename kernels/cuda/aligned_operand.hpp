// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/limits.hpp"
#include "kernels/scratch.hpp"
#include "src/core/cuda.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::kernels::cuda {

inline bool is_aligned_operand(const Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.raw()) % kLibraryAlignment == 0;
}

/// A tensor as cuBLASLt and cuDNN take it: 16-byte aligned, so that which algorithm runs, and with it the bits, does
/// not depend on where memory lies. A tensor that lies elsewhere is copied to the workspace before, or from there
/// after.
class AlignedOperand {
 public:
  /// Reserves the copy, where one is needed; `scratch` is opened afterwards. The tensor may be empty.
  AlignedOperand(const Tensor& tensor, Scratch& scratch)
      : tensor_(tensor),
        scratch_(scratch),
        apart_(!is_aligned_operand(tensor)),
        place_(apart_ ? scratch.reserve(tensor.bytes()) : 0) {}

  /// Where the library writes it.
  void* data() const { return apart_ ? scratch_.at(place_) : tensor_.raw(); }
  /// Where the library reads it.
  const void* loaded(const Stream& stream) const {
    if (apart_) mpdist::cuda::copy(data(), tensor_.raw(), tensor_.bytes(), stream.handle());
    return data();
  }
  /// To be called once the library has written it.
  void store(const Stream& stream) const {
    if (apart_) mpdist::cuda::copy(tensor_.raw(), data(), tensor_.bytes(), stream.handle());
  }

 private:
  Tensor tensor_;
  const Scratch& scratch_;
  bool apart_;
  std::size_t place_;
};

}  // namespace mpdist::kernels::cuda
