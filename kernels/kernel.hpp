// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

/// MPDIST_KERNEL(name, Arguments): declares the backends of a kernel and its one entry point
///     kernels::name(stream, arguments);
/// which checks the arguments and runs the backend of the stream's device. Stands after the argument struct, at
/// namespace mpdist::kernels. Arguments has `void validate() const`, which throws InvalidArgument.
/// On a GPU the kernel is enqueued: tensors lie in memory of the stream's device, and where a field receives a result
/// "on the host" it points to a HostArray, which may be read after stream.synchronize(). Tables (segments) are host
/// memory that is read before the call returns.
#define MPDIST_KERNEL(name, Arguments)                           \
  namespace cpu {                                                \
  void name(Stream& stream, const Arguments& arguments);         \
  }                                                              \
  namespace cuda {                                               \
  void name(Stream& stream, const Arguments& arguments);         \
  }                                                              \
  inline void name(Stream& stream, const Arguments& arguments) { \
    arguments.validate();                                        \
    if (::mpdist::kernels::on_cuda(stream, #name)) {             \
      MPDIST_RUN_ON_CUDA(name);                                  \
    } else {                                                     \
      cpu::name(stream, arguments);                              \
    }                                                            \
  }                                                              \
  static_assert(true, "a semicolon follows MPDIST_KERNEL")

#ifdef MPDIST_HAS_CUDA
#define MPDIST_RUN_ON_CUDA(name) cuda::name(stream, arguments)
#else
#define MPDIST_RUN_ON_CUDA(name) static_cast<void>(0)
#endif

namespace mpdist::kernels {

/// Which half runs. Throws Unsupported for a GPU stream in a build without CUDA.
inline bool on_cuda(const Stream& stream, const char* kernel) {
  if (stream.device() != Device::cuda) return false;
#ifndef MPDIST_HAS_CUDA
  throw Unsupported(fmt::format("{}: this build runs on the CPU only", kernel));
#else
  static_cast<void>(kernel);
  return true;
#endif
}

}  // namespace mpdist::kernels
