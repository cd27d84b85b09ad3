// SPDX-License-Identifier: Apache-2.0
#include "src/core/copy.hpp"

#include <cstring>

#include "src/core/cuda.hpp"
#include "src/core/error.hpp"

namespace mpdist {

void copy(const Stream& stream, const Tensor& from, const Tensor& to) {
  require(from.dtype() == to.dtype() && from.elements() == to.elements(), "copy: {} {} to {} {}", name_of(from.dtype()),
          from.shape().to_string(), name_of(to.dtype()), to.shape().to_string());
  if (from.bytes() == 0 || from.raw() == to.raw()) return;
  if (stream.device() == Device::cuda) return cuda::copy(to.raw(), from.raw(), from.bytes(), stream.handle());
  std::memcpy(to.raw(), from.raw(), from.bytes());
}

void fill_zero(const Stream& stream, const Tensor& tensor) {
  if (tensor.bytes() == 0) return;
  if (stream.device() == Device::cuda) return cuda::fill_zero(tensor.raw(), tensor.bytes(), stream.handle());
  std::memset(tensor.raw(), 0, tensor.bytes());
}

Tensor to_host(const Stream& stream, const Tensor& tensor, MemoryKind kind) {
  if (tensor.device() == Device::cpu) return tensor;
  const Tensor host(tensor.shape(), tensor.dtype(), kind, stream.host_pool());
  copy(stream, tensor, host);
  stream.synchronize();
  return host;
}

Tensor to_device(const Stream& stream, const Tensor& host, MemoryKind kind) {
  if (stream.device() == Device::cpu) return host;
  const Tensor there(host.shape(), host.dtype(), kind, stream.pool());
  copy(stream, host, there);
  stream.synchronize();
  return there;
}

}  // namespace mpdist
