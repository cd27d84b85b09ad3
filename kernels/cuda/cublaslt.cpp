// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cublaslt.hpp"

#include <cublasLt.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "kernels/cuda/limits.hpp"
#include "src/core/cuda.hpp"
#include "src/core/error.hpp"
#include "src/core/host_array.hpp"
#include "src/core/log.hpp"

namespace mpdist::kernels::cuda::cublaslt {
namespace {

std::string text_of(cublasStatus_t status) {
  return fmt::format("{} ({})", cublasLtGetStatusName(status), cublasLtGetStatusString(status));
}

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) throw LibraryError("cuBLASLt", call, text_of(status));
}
#define MPDIST_CUBLASLT(function, ...) check(function(__VA_ARGS__), #function)

/// For the destructors of the library's objects.
template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    const cublasStatus_t status = kDestroy(object);
    if (status != CUBLAS_STATUS_SUCCESS) log::warn("cuBLASLt: destroying an object failed: {}", text_of(status));
  }
};
template <class T, auto kDestroy>
using Owned = std::unique_ptr<T, Destroy<kDestroy>>;
using Handle = Owned<cublasLtContext, cublasLtDestroy>;
using Description = Owned<cublasLtMatmulDescOpaque_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayoutOpaque_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreferenceOpaque_t, cublasLtMatmulPreferenceDestroy>;

Handle make_handle() {
  cublasLtHandle_t made = nullptr;
  MPDIST_CUBLASLT(cublasLtCreate, &made);
  return Handle(made);
}

/// What a thread owns.
struct ThreadState {
  Handle handle = make_handle();
  std::map<MatmulShape, MatmulPlan> plans;
};

ThreadState& state() {
  thread_local ThreadState state;
  return state;
}

cublasLtHandle_t handle() {
  return state().handle.get();
}

cudaDataType_t data_type(DType type) {
  return type == DType::fp16 ? CUDA_R_16F : type == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

template <class Value>
void set(const Description& description, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  MPDIST_CUBLASLT(cublasLtMatmulDescSetAttribute, description.get(), attribute, &value, sizeof value);
}

template <class Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, const Value& value) {
  MPDIST_CUBLASLT(cublasLtMatmulPreferenceSetAttribute, preference.get(), attribute, &value, sizeof value);
}

/// A batch of matrices [rows, columns], row-major: [columns, rows] in the library's column-major order.
struct Matrices {
  DType type;
  std::int64_t rows, columns, leading, batch, stride;

  Layout layout() const {
    cublasLtMatrixLayout_t made = nullptr;
    MPDIST_CUBLASLT(cublasLtMatrixLayoutCreate, &made, data_type(type), static_cast<std::uint64_t>(columns),
                    static_cast<std::uint64_t>(rows), leading ? leading : columns);
    Layout layout(made);
    if (batch > 1) {
      set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
      set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
    }
    return layout;
  }

 private:
  template <class Value>
  static void set(const Layout& layout, cublasLtMatrixLayoutAttribute_t attribute, const Value& value) {
    MPDIST_CUBLASLT(cublasLtMatrixLayoutSetAttribute, layout.get(), attribute, &value, sizeof value);
  }
};

Layout layout_of_a(const MatmulShape& s) {
  const auto [rows, columns] = s.a_transposed ? std::pair(s.depth, s.rows) : std::pair(s.rows, s.depth);
  return Matrices{s.operands, rows, columns, s.a_leading, s.batch, s.a_stride}.layout();
}

Layout layout_of_b(const MatmulShape& s) {
  const auto [rows, columns] = s.b_transposed ? std::pair(s.columns, s.depth) : std::pair(s.depth, s.columns);
  return Matrices{s.operands, rows, columns, s.b_leading, s.batch, s.b_stride}.layout();
}

cublasLtEpilogue_t epilogue(const MatmulShape& shape) {
  if (shape.relu) return shape.bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  return shape.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

Description describe(const MatmulShape& shape) {
  cublasLtMatmulDesc_t made = nullptr;
  MPDIST_CUBLASLT(cublasLtMatmulDescCreate, &made, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  Description description(made);
  const std::int32_t plain = CUBLAS_OP_N, transposed = CUBLAS_OP_T;
  set(description, CUBLASLT_MATMUL_DESC_TRANSA, shape.b_transposed ? transposed : plain);
  set(description, CUBLASLT_MATMUL_DESC_TRANSB, shape.a_transposed ? transposed : plain);
  set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(epilogue(shape)));
  return description;
}

/// What the heuristic may choose from: no partial sums in a narrow type, no workspace beyond the limit.
Preference preference() {
  cublasLtMatmulPreference_t made = nullptr;
  MPDIST_CUBLASLT(cublasLtMatmulPreferenceCreate, &made);
  Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kLibraryWorkspaceBytes});
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(preference, attribute, std::uint32_t{kLibraryAlignment});
  }
  return preference;
}

}  // namespace

/// The library computes result^T = b^T * a^T in column-major order, so its A is our b.
struct MatmulParts {
  Description description;
  Layout a, b, result;
  cublasLtMatmulHeuristicResult_t chosen{};
  DType result_type;
  std::optional<bool> keeps_nan;

  explicit MatmulParts(const MatmulShape& shape)
      : description(describe(shape)),
        a(layout_of_b(shape)),
        b(layout_of_a(shape)),
        result(Matrices{shape.result, shape.rows, shape.columns, 0, shape.batch, shape.rows * shape.columns}.layout()),
        result_type(shape.result) {
    // The heuristic takes the alignment of the bias from its address, which it does not read.
    if (shape.bias) point_at_bias(reinterpret_cast<const void*>(std::uintptr_t{kLibraryAlignment}));
    const Preference preferred = preference();
    int found = 0;
    MPDIST_CUBLASLT(cublasLtMatmulAlgoGetHeuristic, handle(), description.get(), a.get(), b.get(), result.get(),
                    result.get(), preferred.get(), 1, &chosen, &found);
    if (found == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
    check(chosen.state, "cublasLtMatmulAlgoGetHeuristic");
  }

  void point_at_bias(const void* bias) const { set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias); }

  /// result = alpha * product (+ beta * result), then bias and activation.
  void run(const Stream& stream, const MatmulArrays& arrays, float alpha, float beta) const {
    if (arrays.bias) point_at_bias(arrays.bias);
    MPDIST_CUBLASLT(cublasLtMatmul, handle(), description.get(), &alpha, arrays.b, a.get(), arrays.a, b.get(), &beta,
                    arrays.result, result.get(), arrays.result, result.get(), &chosen.algo, arrays.workspace,
                    chosen.workspaceSize, static_cast<cudaStream_t>(stream.handle()));
  }
};

MatmulPlan::MatmulPlan(const MatmulShape& shape) : parts_(std::make_unique<MatmulParts>(shape)) {}
MatmulPlan::~MatmulPlan() = default;

std::size_t MatmulPlan::workspace_bytes() const {
  return parts_->chosen.workspaceSize;
}

void MatmulPlan::run(const Stream& stream, const MatmulArrays& arrays, bool accumulate) const {
  parts_->run(stream, arrays, 1.0F, accumulate ? 1.0F : 0.0F);
}

bool MatmulPlan::keeps_nan(const Stream& stream, const MatmulArrays& arrays) const {
  if (parts_->keeps_nan) return *parts_->keeps_nan;
  parts_->run(stream, arrays, std::numeric_limits<float>::quiet_NaN(), 0.0F);
  with_compute_type(parts_->result_type, [&]<class T>(T) {
    const HostValue<T> first(stream);
    mpdist::cuda::copy(first.data(), arrays.result, sizeof(T), stream.handle());
    stream.synchronize();
    parts_->keeps_nan = std::isnan(to_float(*first));
  });
  return *parts_->keeps_nan;
}

const MatmulPlan& plan(const MatmulShape& shape) {
  return state().plans.try_emplace(shape, shape).first->second;
}

}  // namespace mpdist::kernels::cuda::cublaslt
