// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

/// MPDIST_KERNEL(name, Arguments): declares the backends of a kernel and its one entry point
///     kernels::name(stream, arguments);
/// which checks the arguments and runs the backend of the stream's device. Stands after the argument struct, at
/// namespace mpdist::kernels. Arguments has `void validate() const`, which throws InvalidArgument.
#define MPDIST_KERNEL(name, Arguments)                           \
  namespace cpu {                                                \
  void name(Stream& stream, const Arguments& arguments);         \
  }                                                              \
  inline void name(Stream& stream, const Arguments& arguments) { \
    arguments.validate();                                        \
    ::mpdist::kernels::require_cpu(stream, #name);               \
    cpu::name(stream, arguments);                                \
  }                                                              \
  static_assert(true, "a semicolon follows MPDIST_KERNEL")

namespace mpdist::kernels {

inline void require_cpu(const Stream& stream, const char* kernel) {
  if (stream.device() != Device::cpu) throw Unsupported(fmt::format("{}: this build runs on the CPU only", kernel));
}

}  // namespace mpdist::kernels
