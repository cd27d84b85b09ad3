// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "src/core/philox.hpp"
#include "tests/support/device.hpp"

namespace mpdist::test {

/// A tensor on the device under test between two guard bands, `misalignment` elements off 64-byte alignment: a kernel
/// that writes outside its tensor breaks a band. The memory starts as a pattern, so a kernel that forgets an element
/// shows too.
class GuardedTensor {
 public:
  GuardedTensor(Shape shape, DType dtype, std::int64_t misalignment = 0)
      : all_({kBand + misalignment + shape.elements() + kBand}, dtype, MemoryKind::workspace, pool_under_test()) {
    overwrite(all_, [](const Tensor& host) { std::memset(host.raw(), kPattern, host.bytes()); });
    const std::int64_t begin = kBand + misalignment;
    view_ = all_.rows(begin, begin + shape.elements()).reshaped(shape);
  }

  const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // NOLINT: a guarded tensor is used as the tensor it guards

  bool intact() const {
    const Tensor all = host_copy(all_);
    const auto* bytes = static_cast<const unsigned char*>(all.raw());
    const auto before = static_cast<std::byte*>(view_.raw()) - static_cast<std::byte*>(all_.raw());
    const auto untouched = [](unsigned char byte) { return byte == kPattern; };
    return std::all_of(bytes, bytes + before, untouched) &&
           std::all_of(bytes + before + view_.bytes(), bytes + all.bytes(), untouched);
  }

 private:
  static constexpr std::int64_t kBand = 64;
  static constexpr unsigned char kPattern = 0xA5;
  Tensor all_, view_;
};

/// Element i of a compute-type or int32 tensor as double. One copy a call from a GPU: loops take values_of().
inline double value_at(const Tensor& tensor, std::int64_t i) {
  if (tensor.device() != Device::cpu) return value_at(host_copy(element_of(tensor, i)), 0);
  if (tensor.dtype() == DType::int32) return tensor.data<std::int32_t>()[i];
  return with_compute_type(tensor.dtype(), [&]<class T>(T) -> double { return to_float(tensor.data<T>()[i]); });
}

inline std::vector<double> values_of(const Tensor& tensor) {
  const Tensor host = host_copy(tensor);
  std::vector<double> values(static_cast<std::size_t>(host.elements()));
  for (std::int64_t i = 0; i < host.elements(); ++i) values[static_cast<std::size_t>(i)] = value_at(host, i);
  return values;
}

/// Rounds `value` into element i of a compute-type tensor.
inline void set_value(const Tensor& tensor, std::int64_t i, float value) {
  if (tensor.device() != Device::cpu) {
    return overwrite(element_of(tensor, i), [&](const Tensor& host) { set_value(host, 0, value); });
  }
  with_compute_type(tensor.dtype(), [&]<class T>(T) { tensor.data<T>()[i] = from_float<T>(value); });
}

inline void set_values(const Tensor& tensor, std::initializer_list<float> values) {
  require(tensor.elements() == static_cast<std::int64_t>(values.size()), "{} values for {}", values.size(),
          tensor.shape().to_string());
  overwrite(tensor, [&](const Tensor& host) {
    std::int64_t i = 0;
    for (float value : values) set_value(host, i++, value);
  });
}

/// Uniform values in [low, high), rounded to the tensor's type; the same for the same seed everywhere.
inline void fill_uniform(const Tensor& tensor, std::uint64_t seed, float low = -2.0F, float high = 2.0F) {
  const RandomKey key{seed, hash_name("test fill"), 0};
  overwrite(tensor, [&](const Tensor& host) {
    for (std::int64_t i = 0; i < host.elements(); ++i) {
      const auto words = key.words(0, static_cast<std::uint64_t>(i));
      set_value(host, i, low + (high - low) * uniform(words[0]));
    }
  });
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
