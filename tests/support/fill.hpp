// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "src/core/philox.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::test {

/// A tensor between two guard bands, `misalignment` elements off 64-byte alignment: a kernel that writes outside its
/// tensor breaks a band. The memory starts as a pattern, so a kernel that forgets an element shows too.
class GuardedTensor {
 public:
  GuardedTensor(Shape shape, DType dtype, std::int64_t misalignment = 0)
      : all_({kBand + misalignment + shape.elements() + kBand}, dtype, MemoryKind::workspace),
        begin_(kBand + misalignment) {
    std::memset(all_.raw(), kPattern, all_.bytes());
    view_ = all_.rows(begin_, begin_ + shape.elements()).reshaped(shape);
  }

  const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // NOLINT: a guarded tensor is used as the tensor it guards

  bool intact() const {
    const auto* bytes = static_cast<const unsigned char*>(all_.raw());
    const auto* first = static_cast<const unsigned char*>(view_.raw());
    const auto* last = first + view_.bytes();
    for (const auto* p = bytes; p < first; ++p) {
      if (*p != kPattern) return false;
    }
    for (const auto* p = last; p < bytes + all_.bytes(); ++p) {
      if (*p != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr std::int64_t kBand = 64;
  static constexpr unsigned char kPattern = 0xA5;
  Tensor all_, view_;
  std::int64_t begin_;
};

/// Element i of a compute-type or int32 tensor as double.
inline double value_at(const Tensor& tensor, std::int64_t i) {
  if (tensor.dtype() == DType::int32) return tensor.data<std::int32_t>()[i];
  return with_compute_type(tensor.dtype(), [&]<class T>(T) -> double { return to_float(tensor.data<T>()[i]); });
}

inline std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) values[static_cast<std::size_t>(i)] = value_at(tensor, i);
  return values;
}

/// Rounds `value` into element i of a compute-type tensor.
inline void set_value(const Tensor& tensor, std::int64_t i, float value) {
  with_compute_type(tensor.dtype(), [&]<class T>(T) { tensor.data<T>()[i] = from_float<T>(value); });
}

inline void set_values(const Tensor& tensor, std::initializer_list<float> values) {
  require(tensor.elements() == static_cast<std::int64_t>(values.size()), "{} values for {}", values.size(),
          tensor.shape().to_string());
  std::int64_t i = 0;
  for (float value : values) set_value(tensor, i++, value);
}

/// Uniform values in [low, high), rounded to the tensor's type; the same for the same seed everywhere.
inline void fill_uniform(const Tensor& tensor, std::uint64_t seed, float low = -2.0F, float high = 2.0F) {
  const RandomKey key{seed, hash_name("test fill"), 0};
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const auto words = key.words(0, static_cast<std::uint64_t>(i));
    set_value(tensor, i, low + (high - low) * uniform(words[0]));
  }
}

/// A guarded tensor of uniform values.
inline GuardedTensor uniform_tensor(Shape shape, DType dtype, std::uint64_t seed, std::int64_t misalignment = 0,
                                    float low = -2.0F, float high = 2.0F) {
  GuardedTensor tensor(shape, dtype, misalignment);
  fill_uniform(tensor, seed, low, high);
  return tensor;
}

/// The ladder of kernel tests: every compute type, these sizes, aligned and off by one element.
inline constexpr std::initializer_list<DType> kComputeTypes = {DType::fp32, DType::fp16, DType::bf16};
inline constexpr std::initializer_list<std::int64_t> kSizes = {1, 31, 33, 1000};
inline constexpr std::initializer_list<std::int64_t> kMisalignments = {0, 1};

/// Calls body(type, size, misalignment) for the whole ladder.
template <class Body>
void for_ladder(Body body) {
  for (DType type : kComputeTypes) {
    for (std::int64_t size : kSizes) {
      for (std::int64_t misalignment : kMisalignments) body(type, size, misalignment);
    }
  }
}

}  // namespace mpdist::test
