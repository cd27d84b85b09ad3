// SPDX-License-Identifier: Apache-2.0
// The arithmetic of cublasLtMatmul: FP32 sums over k in a fixed order, one rounding on store.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/software_gpu/core/operation.hpp"
#include "tests/software_gpu/cublaslt/problem.hpp"

namespace software_gpu::cublaslt {
namespace {

using Floats = std::vector<float>;

const std::byte* at(const void* base, std::int64_t bytes) {
  return static_cast<const std::byte*>(base) + bytes;
}
std::byte* at(void* base, std::int64_t bytes) {
  return static_cast<std::byte*>(base) + bytes;
}

/// [rows, columns] to [columns, rows].
Floats transposed(const Floats& from, std::uint64_t rows, std::uint64_t columns) {
  Floats to(from.size());
  for (std::uint64_t r = 0; r < rows; ++r) {
    for (std::uint64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
  return to;
}

/// Calls visit(byte offset, elements, index of the first element) for each stretch of memory that a matrix fills.
template <class Visit>
void for_each_stretch(const Layout& layout, std::uint64_t batch, Visit visit) {
  const auto width = static_cast<std::int64_t>(bytes_of(element_of(layout.type)));
  const std::int64_t start = static_cast<std::int64_t>(batch) * layout.batch_stride;
  const std::uint64_t length = layout.line_length(), count = layout.line_count();
  if (layout.leading_dimension == static_cast<std::int64_t>(length)) return visit(start * width, length * count, 0);
  for (std::uint64_t line = 0; line < count; ++line) {
    visit((start + static_cast<std::int64_t>(line) * layout.leading_dimension) * width, length, line * length);
  }
}

/// One batch of a matrix in FP32, [columns, rows] (that is column-major).
Floats load(Operation& operation, const Layout& layout, const void* base, std::uint64_t batch) {
  const Element type = element_of(layout.type);
  Floats values(layout.rows * layout.columns);
  for_each_stretch(layout, batch, [&](std::int64_t offset, std::uint64_t count, std::uint64_t first) {
    widen(type, operation.read(at(base, offset), count * bytes_of(type)), count, &values[first]);
  });
  return layout.column_major() ? values : transposed(values, layout.rows, layout.columns);
}

void store(Operation& operation, const Layout& layout, void* base, std::uint64_t batch, const Floats& column_major) {
  const Element type = element_of(layout.type);
  const Floats values = layout.column_major() ? column_major : transposed(column_major, layout.columns, layout.rows);
  for_each_stretch(layout, batch, [&](std::int64_t offset, std::uint64_t count, std::uint64_t first) {
    narrow(type, &values[first], count, operation.write(at(base, offset), count * bytes_of(type)));
  });
}

/// max(x, 0); what becomes of NaN is not documented, so both occur.
float activated(float value) {
  static const bool keeps_nan = std::getenv("SOFTWARE_GPU_RELU_KEEPS_NAN") != nullptr;
  return keeps_nan && std::isnan(value) ? value : relu(value);
}

class Multiplication {
 public:
  Multiplication(Operation& operation, const Problem& problem, const Algorithm& algorithm, const Call& call)
      : operation_(operation), p_(problem), algorithm_(algorithm), call_(call) {}

  void run() {
    scribble();
    alpha_ = scalar(call_.alpha, call_.host_alpha);
    beta_ = scalar(call_.beta, call_.host_beta);
    for (std::uint64_t batch = 0; batch < static_cast<std::uint64_t>(p_.d.batch_count); ++batch) multiply_one(batch);
  }

 private:
  float scalar(const void* on_device, float on_host) {
    if (on_device == nullptr) return on_host;
    float value;
    std::memcpy(&value, operation_.read(on_device, sizeof value), sizeof value);
    return value;
  }

  /// A call may use all the workspace that it is given. It always uses some, so that sharing one is always a race.
  void scribble() {
    const std::uint64_t bytes = std::max(algorithm_.workspace, std::min<std::uint64_t>(call_.workspace_bytes, 1024));
    if (call_.workspace != nullptr && bytes > 0) std::memset(operation_.write(call_.workspace, bytes), 0xFF, bytes);
  }

  void multiply_one(std::uint64_t batch) {
    Floats a = load(operation_, p_.a, call_.a, batch);  // to [k, m]
    if (p_.description.transpose_a != CUBLAS_OP_N) a = transposed(a, p_.m, p_.k);
    Floats b = load(operation_, p_.b, call_.b, batch);  // to [n, k]
    if (p_.description.transpose_b != CUBLAS_OP_N) b = transposed(b, p_.k, p_.n);
    if (p_.has(CUBLASLT_EPILOGUE_BGRADA)) store_bias_gradient(batch, sum_over_rows(a, p_.k, p_.m));
    if (p_.has(CUBLASLT_EPILOGUE_BGRADB))
      store_bias_gradient(batch, sum_over_rows(transposed(b, p_.n, p_.k), p_.k, p_.n));
    if (p_.description.compute_type == CUBLAS_COMPUTE_32F_FAST_TF32) {
      for (Floats* operand : {&a, &b})
        std::transform(operand->begin(), operand->end(), operand->begin(), rounded_to_tf32);
    }
    Floats d = product(a, b);
    scale_and_add(d, batch);
    if (p_.adds_bias()) add_bias(d, batch);
    if (p_.masks()) mask(d, batch);
    if (p_.writes_mask()) write_mask(d, batch);
    if (p_.relu()) std::transform(d.begin(), d.end(), d.begin(), activated);
    if (p_.has(CUBLASLT_EPILOGUE_DRELU_BGRAD)) store_bias_gradient(batch, sum_over_rows(d, p_.n, p_.m));
    store(operation_, p_.d, call_.d, batch, d);
  }

  Floats product(const Floats& a, const Floats& b) {
    const std::uint64_t middle = algorithm_.method == Method::single_pass ? p_.k : p_.k / 2;
    Floats sums(p_.m * p_.n);
    accumulate(a, b, 0, middle, sums);
    if (algorithm_.method == Method::split_in_place) {
      for (float& sum : sums) sum = rounded(p_.out(), sum);
    }
    Floats second(middle < p_.k ? sums.size() : 0);
    if (!second.empty()) accumulate(a, b, middle, p_.k, second);
    for (std::size_t i = 0; i < second.size(); ++i) sums[i] += second[i];
    return sums;
  }

  void accumulate(const Floats& a, const Floats& b, std::uint64_t first, std::uint64_t last, Floats& sums) const {
    for (std::uint64_t j = 0; j < p_.n; ++j) {
      float* const column = &sums[j * p_.m];
      for (std::uint64_t t = first; t < last; ++t) {
        const float factor = b[j * p_.k + t];
        const float* const row = &a[t * p_.m];
        for (std::uint64_t i = 0; i < p_.m; ++i) column[i] += row[i] * factor;
      }
    }
  }

  void scale_and_add(Floats& d, std::uint64_t batch) {
    for (float& value : d) value *= alpha_;
    if (beta_ == 0) return;  // C is then not read
    const Floats c = load(operation_, p_.c, call_.c, batch);
    for (std::size_t i = 0; i < d.size(); ++i) d[i] += beta_ * c[i];
  }

  void add_bias(Floats& d, std::uint64_t batch) {
    const auto offset = static_cast<std::int64_t>(batch) * p_.description.bias_batch_stride;
    const std::size_t width = bytes_of(p_.out());
    Floats bias(p_.m);
    widen(p_.out(), operation_.read(at(p_.description.bias, offset * static_cast<std::int64_t>(width)), p_.m * width),
          p_.m, bias.data());
    for (std::size_t i = 0; i < d.size(); ++i) d[i] += bias[i % p_.m];
  }

  std::byte* mask_column(std::uint64_t batch, std::uint64_t column) const {
    const MatmulDescription& description = p_.description;
    return at(description.auxiliary, (static_cast<std::int64_t>(batch) * description.auxiliary_batch_stride +
                                      static_cast<std::int64_t>(column) * description.auxiliary_leading_dimension) /
                                         8);
  }

  void mask(Floats& d, std::uint64_t batch) {
    for (std::uint64_t j = 0; j < p_.n; ++j) {
      const std::byte* bits = operation_.read(mask_column(batch, j), (p_.m + 7) / 8);
      for (std::uint64_t i = 0; i < p_.m; ++i) {
        if ((bits[i / 8] >> (i % 8) & std::byte{1}) == std::byte{0}) d[j * p_.m + i] = 0;
      }
    }
  }

  void write_mask(const Floats& d, std::uint64_t batch) {
    for (std::uint64_t j = 0; j < p_.n; ++j) {
      std::byte* bits = operation_.write(mask_column(batch, j), (p_.m + 7) / 8);
      std::fill_n(bits, (p_.m + 7) / 8, std::byte{0});
      for (std::uint64_t i = 0; i < p_.m; ++i) {
        if (d[j * p_.m + i] > 0) bits[i / 8] |= std::byte{1} << (i % 8);
      }
    }
  }

  /// values [rows, columns] summed over rows.
  static Floats sum_over_rows(const Floats& values, std::uint64_t rows, std::uint64_t columns) {
    Floats sums(columns);
    for (std::uint64_t r = 0; r < rows; ++r) {
      for (std::uint64_t c = 0; c < columns; ++c) sums[c] += values[r * columns + c];
    }
    return sums;
  }

  void store_bias_gradient(std::uint64_t batch, const Floats& sums) {
    const std::size_t width = bytes_of(p_.out());
    const std::int64_t offset =
        static_cast<std::int64_t>(batch) * p_.description.bias_batch_stride * static_cast<std::int64_t>(width);
    narrow(p_.out(), sums.data(), sums.size(), operation_.write(at(p_.description.bias, offset), sums.size() * width));
  }

  Operation& operation_;
  const Problem& p_;
  const Algorithm& algorithm_;
  const Call& call_;
  float alpha_ = 1, beta_ = 0;
};

}  // namespace

void multiply(Operation& operation, const Problem& problem, const Algorithm& algorithm, const Call& call) {
  Multiplication(operation, problem, algorithm, call).run();
}

}  // namespace software_gpu::cublaslt
