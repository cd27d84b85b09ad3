// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/reduce.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu::nccl {
namespace {

template <class T>
struct Arithmetic {
  static T widen(T a) { return a; }
  static T narrow(T a) { return a; }
};
template <>
struct Arithmetic<__half> {
  static float widen(__half a) { return __half2float(a); }
  static __half narrow(float a) { return __float2half_rn(a); }
};
template <>
struct Arithmetic<__nv_bfloat16> {
  static float widen(__nv_bfloat16 a) { return __bfloat162float(a); }
  static __nv_bfloat16 narrow(float a) { return __float2bfloat16_rn(a); }
};

template <class T>
T apply(ncclRedOp_t op, T a, T b) {
  switch (op) {
    case ncclSum:
      return static_cast<T>(a + b);
    case ncclProd:
      return static_cast<T>(a * b);
    case ncclMax:
      return std::max(a, b);
    default:
      return std::min(a, b);
  }
}

template <class T>
void reduce_typed(ncclRedOp_t op, const std::vector<const std::byte*>& parts, std::size_t first, std::size_t count,
                  std::byte* out) {
  const std::size_t ranks = parts.size();
  const std::size_t run = std::max<std::size_t>(1, (count + ranks - 1) / ranks);
  const auto element = [&](std::size_t rank, std::size_t i) {
    T value;
    std::memcpy(&value, parts[rank % ranks] + (first + i) * sizeof(T), sizeof(T));
    return value;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i / run + 1;
    T sum = element(begin, i);
    for (std::size_t step = 1; step < ranks; ++step) {
      sum = Arithmetic<T>::narrow(apply(op, Arithmetic<T>::widen(sum), Arithmetic<T>::widen(element(begin + step, i))));
    }
    std::memcpy(out + i * sizeof(T), &sum, sizeof(T));
  }
}

}  // namespace

std::size_t bytes_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
    case ncclUint8:
      return 1;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclInt32:
    case ncclUint32:
    case ncclFloat32:
      return 4;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64:
      return 8;
    default:
      unsupported("ncclDataType_t " + std::to_string(static_cast<int>(type)));
  }
}

std::string name_of(ncclDataType_t type) {
  static const char* const kNames[] = {"int8",   "uint8",   "int32",   "uint32",  "int64",
                                       "uint64", "float16", "float32", "float64", "bfloat16"};
  bytes_of(type);
  return kNames[static_cast<int>(type)];
}

void require_known(ncclRedOp_t op) {
  if (op != ncclSum && op != ncclProd && op != ncclMax && op != ncclMin)
    unsupported("ncclRedOp_t " + std::to_string(static_cast<int>(op)));
}

void reduce(ncclDataType_t type, ncclRedOp_t op, const std::vector<const std::byte*>& parts, std::size_t first,
            std::size_t count, std::byte* out) {
  switch (type) {
    case ncclInt8:
      return reduce_typed<std::int8_t>(op, parts, first, count, out);
    case ncclUint8:
      return reduce_typed<std::uint8_t>(op, parts, first, count, out);
    case ncclInt32:
      return reduce_typed<std::int32_t>(op, parts, first, count, out);
    case ncclUint32:
      return reduce_typed<std::uint32_t>(op, parts, first, count, out);
    case ncclInt64:
      return reduce_typed<std::int64_t>(op, parts, first, count, out);
    case ncclUint64:
      return reduce_typed<std::uint64_t>(op, parts, first, count, out);
    case ncclFloat16:
      return reduce_typed<__half>(op, parts, first, count, out);
    case ncclBfloat16:
      return reduce_typed<__nv_bfloat16>(op, parts, first, count, out);
    case ncclFloat32:
      return reduce_typed<float>(op, parts, first, count, out);
    case ncclFloat64:
      return reduce_typed<double>(op, parts, first, count, out);
    default:
      unsupported("ncclDataType_t " + std::to_string(static_cast<int>(type)));
  }
}

}  // namespace software_gpu::nccl
