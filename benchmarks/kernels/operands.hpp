// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/exponent_histogram.hpp"
#include "kernels/gradient_statistics.hpp"
#include "src/core/host_array.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::benchmarks {

/// What a result counts as when two devices are compared: integers in parts that a double holds exactly.
void append(std::vector<double>& values, std::int64_t result);
void append(std::vector<double>& values, std::uint64_t result);
void append(std::vector<double>& values, float result);
void append(std::vector<double>& values, const kernels::TensorStatistics& result);
void append(std::vector<double>& values, const kernels::ExponentCounts& result);

/// The operands of one kernel on the device of a stream. The same calls in the same order make the same values on every
/// device, so what a kernel has made of them can be compared.
class Operands {
 public:
  explicit Operands(Stream& stream) : stream_(&stream) {}
  Stream& stream() const { return *stream_; }

  Tensor in(const Shape& shape, DType type, float scale = 1);        ///< values in [-scale, scale]
  Tensor positive(const Shape& shape, DType type, float scale = 1);  ///< values in (scale/2, scale]
  Tensor labels(std::int64_t rows, std::int64_t classes);            ///< int32
  Tensor out(const Shape& shape, DType type);                        ///< zeros; compared
  Tensor in_out(const Shape& shape, DType type, float scale = 1);    ///< as in(); compared

  /// `count` values that the kernel writes "on the host"; compared.
  template <class T>
  T* result(std::int64_t count = 1) {
    auto array = std::make_shared<HostArray<T>>(*stream_, count);
    observers_.push_back([array] {
      std::vector<double> values;
      for (const T& value : *array) append(values, value);
      return values;
    });
    return array->data();
  }

  /// A table that the kernel reads on the host; lives as long as this.
  template <class T>
  const T* table(std::vector<T> values) {
    auto kept = std::make_shared<std::vector<T>>(std::move(values));
    tables_.push_back(kept);
    return kept->data();
  }

  /// The values of all that is compared, in the order of the calls that made it; waits for the stream.
  std::vector<std::vector<double>> observed() const;

 private:
  Tensor filled(const Shape& shape, DType type, float low, float high);
  Tensor compared(Tensor tensor);

  Stream* stream_;
  std::uint64_t seed_ = 0;
  std::vector<std::function<std::vector<double>()>> observers_;
  std::vector<std::shared_ptr<void>> tables_;
};

}  // namespace mpdist::benchmarks
