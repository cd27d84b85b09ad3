// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/kernels/operands.hpp"

#include <algorithm>

#include "src/core/copy.hpp"
#include "src/core/half.hpp"
#include "src/core/philox.hpp"

namespace mpdist::benchmarks {
namespace {

/// Larger tensors repeat their first values: making more would take longer than the benchmark.
constexpr std::int64_t kDistinct = std::int64_t{1} << 18;

/// Copies a host tensor to the first elements of `tensor`, and these to the rest.
void repeat(const Stream& stream, const Tensor& first, const Tensor& tensor) {
  const std::int64_t total = tensor.elements();
  const Tensor flat = tensor.reshaped({total});
  copy(stream, first, flat.rows(0, first.elements()));
  for (std::int64_t done = first.elements(); done < total;) {
    const std::int64_t more = std::min(done, total - done);
    copy(stream, flat.rows(0, more), flat.rows(done, done + more));
    done += more;
  }
  stream.synchronize();
}

}  // namespace

void append(std::vector<double>& values, std::int64_t result) {
  values.push_back(static_cast<double>(result));
}

void append(std::vector<double>& values, std::uint64_t result) {
  values.push_back(static_cast<double>(result >> 32));
  values.push_back(static_cast<double>(result & 0xffffffffU));
}

void append(std::vector<double>& values, float result) {
  values.push_back(result);
}

void append(std::vector<double>& values, const kernels::TensorStatistics& result) {
  values.push_back(result.sum_squares);
  append(values, result.nonfinite);
  append(values, result.digest);
}

void append(std::vector<double>& values, const kernels::ExponentCounts& result) {
  for (const std::int64_t count : result.finite) append(values, count);
  append(values, result.zero);
  append(values, result.nonfinite);
}

Tensor Operands::filled(const Shape& shape, DType type, float low, float high) {
  const Tensor tensor(shape, type, MemoryKind::workspace, stream_->pool());
  if (tensor.elements() == 0) return tensor;
  const Tensor first({std::min(tensor.elements(), kDistinct)}, type, MemoryKind::workspace);
  const RandomKey key{seed_++, hash_name("benchmark"), 0};
  with_compute_type(type, [&]<class T>(T) {
    for (std::int64_t i = 0; i < first.elements(); ++i) {
      const float unit = uniform(key.words(0, static_cast<std::uint64_t>(i))[0]);
      first.data<T>()[i] = from_float<T>(high - (high - low) * unit);
    }
  });
  repeat(*stream_, first, tensor);
  return tensor;
}

Tensor Operands::compared(Tensor tensor) {
  observers_.push_back([this, tensor] {
    const Tensor host = to_host(*stream_, tensor, MemoryKind::workspace);
    std::vector<double> values(static_cast<std::size_t>(host.elements()));
    with_compute_type(host.dtype(), [&]<class T>(T) {
      std::ranges::transform(host.span<T>(), values.begin(), [](T value) { return to_float(value); });
    });
    return values;
  });
  return tensor;
}

Tensor Operands::in(const Shape& shape, DType type, float scale) {
  return filled(shape, type, -scale, scale);
}

Tensor Operands::positive(const Shape& shape, DType type, float scale) {
  return filled(shape, type, scale / 2, scale);
}

Tensor Operands::labels(std::int64_t rows, std::int64_t classes) {
  const Tensor host({rows}, DType::int32, MemoryKind::workspace);
  for (std::int64_t i = 0; i < rows; ++i) host.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7 % classes);
  const Tensor tensor({rows}, DType::int32, MemoryKind::workspace, stream_->pool());
  copy(*stream_, host, tensor);
  stream_->synchronize();
  return tensor;
}

Tensor Operands::out(const Shape& shape, DType type) {
  const Tensor tensor(shape, type, MemoryKind::workspace, stream_->pool());
  fill_zero(*stream_, tensor);
  return compared(tensor);
}

Tensor Operands::in_out(const Shape& shape, DType type, float scale) {
  return compared(in(shape, type, scale));
}

std::vector<std::vector<double>> Operands::observed() const {
  stream_->synchronize();
  std::vector<std::vector<double>> all;
  for (const auto& observer : observers_) all.push_back(observer());
  return all;
}

}  // namespace mpdist::benchmarks
