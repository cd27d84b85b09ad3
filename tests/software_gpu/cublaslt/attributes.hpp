// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstring>
#include <span>
#include <string>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/cublaslt/descriptors.hpp"

namespace software_gpu::cublaslt {

/// One attribute of a descriptor: where it lies and how large it is. Size 0: documented, but not known here.
template <class Object>
struct Attribute {
  int id;
  const char* name;
  std::size_t bytes = 0;
  void* (*field)(Object&) = nullptr;
};

template <class Object>
const Attribute<Object>& find_attribute(std::span<const Attribute<Object>> table, int id, const char* call) {
  for (const Attribute<Object>& attribute : table) {
    if (attribute.id != id) continue;
    if (attribute.bytes == 0) unsupported(std::string(call) + ": " + attribute.name);
    return attribute;
  }
  unsupported(std::string(call) + ": attribute " + std::to_string(id));
}

/// The vendor's contract: INVALID_VALUE if the buffer is null or its size is not that of the attribute.
template <class Object>
cublasStatus_t set_attribute(Object* object, std::span<const Attribute<Object>> table, int id, const void* buffer,
                             std::size_t bytes, const char* call) {
  if (object == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(call) + ": no descriptor");
  const Attribute<Object>& attribute = find_attribute(table, id, call);
  if (buffer == nullptr || bytes != attribute.bytes) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(call) + ": " + attribute.name + " has " +
                                                   std::to_string(attribute.bytes) + " bytes, given " +
                                                   std::to_string(bytes));
  }
  std::memcpy(attribute.field(*object), buffer, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

/// The vendor's contract: with size 0, `written` receives the size that is needed.
template <class Object>
cublasStatus_t get_attribute(Object* object, std::span<const Attribute<Object>> table, int id, void* buffer,
                             std::size_t bytes, std::size_t* written, const char* call) {
  if (object == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(call) + ": no descriptor");
  const Attribute<Object>& attribute = find_attribute(table, id, call);
  if (bytes == 0 ? written == nullptr : buffer == nullptr || bytes != attribute.bytes) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(call) + ": " + attribute.name + " has " +
                                                   std::to_string(attribute.bytes) + " bytes, asked for " +
                                                   std::to_string(bytes));
  }
  if (written != nullptr) *written = attribute.bytes;
  if (bytes != 0) std::memcpy(buffer, attribute.field(*object), bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace software_gpu::cublaslt
