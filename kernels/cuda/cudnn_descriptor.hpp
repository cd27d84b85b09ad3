// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cudnn_graph.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/log.hpp"

namespace mpdist::kernels::cuda::cudnn {

/// Status and the library's own account of it.
inline std::string text_of(cudnnStatus_t status) {
  char detail[512] = "";
  cudnnGetLastErrorString(detail, sizeof detail);
  return fmt::format("{} ({})", cudnnGetErrorString(status), static_cast<const char*>(detail));
}

inline void check(cudnnStatus_t status, const char* call) {
  if (status != CUDNN_STATUS_SUCCESS) throw LibraryError("cuDNN", call, text_of(status));
}
#define MPDIST_CUDNN(function, ...) ::mpdist::kernels::cuda::cudnn::check(function(__VA_ARGS__), #function)

/// Whether a call said that the library cannot do what it was asked for, which is an answer; other failures throw.
inline bool is_supported(cudnnStatus_t status, const char* call) {
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, call);
  return true;
}

template <class T>
inline constexpr cudnnBackendAttributeType_t kAttributeType =
    [] { static_assert(sizeof(T) == 0, "no attribute type for this type"); }();
template <>
inline constexpr auto kAttributeType<std::int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto kAttributeType<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto kAttributeType<float> = CUDNN_TYPE_FLOAT;
template <>
inline constexpr auto kAttributeType<void*> = CUDNN_TYPE_VOID_PTR;
template <>
inline constexpr auto kAttributeType<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto kAttributeType<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto kAttributeType<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr auto kAttributeType<cudnnPointwiseMode_t> = CUDNN_TYPE_POINTWISE_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;

/// A backend descriptor: create, set(), finalize(), get().
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t made = nullptr;
    MPDIST_CUDNN(cudnnBackendCreateDescriptor, type, &made);
    raw_.reset(made);
  }

  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    MPDIST_CUDNN(cudnnBackendSetAttribute, raw_.get(), name, kAttributeType<T>, 1, &value);
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    MPDIST_CUDNN(cudnnBackendSetAttribute, raw_.get(), name, kAttributeType<T>,
                 static_cast<std::int64_t>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& part) { set_parts(name, {part.raw_.get()}); }
  void set(cudnnBackendAttributeName_t name, const std::vector<const Descriptor*>& parts) {
    std::vector<cudnnBackendDescriptor_t> raw;
    for (const Descriptor* part : parts) raw.push_back(part->raw_.get());
    set_parts(name, raw);
  }

  void finalize() { MPDIST_CUDNN(cudnnBackendFinalize, raw_.get()); }
  /// False when the library does not support what the descriptor describes.
  bool finalize_if_supported() { return is_supported(cudnnBackendFinalize(raw_.get()), "cudnnBackendFinalize"); }

  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    std::int64_t count = 0;
    MPDIST_CUDNN(cudnnBackendGetAttribute, raw_.get(), name, kAttributeType<T>, 1, &count, &value);
    return value;
  }
  /// At most `most` values.
  template <class T>
  std::vector<T> get_all(cudnnBackendAttributeName_t name, std::int64_t most) const {
    std::vector<T> values(static_cast<std::size_t>(most));
    std::int64_t count = 0;
    MPDIST_CUDNN(cudnnBackendGetAttribute, raw_.get(), name, kAttributeType<T>, most, &count, values.data());
    values.resize(static_cast<std::size_t>(count));
    return values;
  }
  /// The part of `type` that the library made.
  Descriptor get_part(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const {
    Descriptor part(type);
    cudnnBackendDescriptor_t raw = part.raw();
    std::int64_t count = 0;
    MPDIST_CUDNN(cudnnBackendGetAttribute, raw_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw);
    return part;
  }
  /// All parts of `type` that the library made.
  std::vector<Descriptor> get_parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const {
    std::int64_t count = 0;
    MPDIST_CUDNN(cudnnBackendGetAttribute, raw_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr);
    std::vector<Descriptor> parts;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (std::int64_t i = 0; i < count; ++i) raw.push_back(parts.emplace_back(type).raw());
    MPDIST_CUDNN(cudnnBackendGetAttribute, raw_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, raw.data());
    parts.erase(parts.begin() + count, parts.end());
    return parts;
  }

  cudnnBackendDescriptor_t raw() const { return raw_.get(); }

 private:
  void set_parts(cudnnBackendAttributeName_t name, const std::vector<cudnnBackendDescriptor_t>& raw) {
    MPDIST_CUDNN(cudnnBackendSetAttribute, raw_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                 static_cast<std::int64_t>(raw.size()), raw.data());
  }

  struct Destroy {
    void operator()(void* raw) const {
      const cudnnStatus_t status = cudnnBackendDestroyDescriptor(raw);
      if (status != CUDNN_STATUS_SUCCESS) log::warn("cuDNN: destroying a descriptor failed: {}", text_of(status));
    }
  };
  std::unique_ptr<void, Destroy> raw_;
};

}  // namespace mpdist::kernels::cuda::cudnn
