// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "src/core/copy.hpp"
#include "src/core/cuda.hpp"
#include "src/core/error.hpp"
#include "src/core/host_array.hpp"

/// Tests of kernels have one source for both devices: the environment variable MPDIST_TEST_DEVICE (cpu, the default, or
/// cuda) says where they run. Tensors of the device under test are made by GuardedTensor (fill.hpp), results on the
/// host are HostValue or HostArray of stream_under_test(), read through arrived().
namespace mpdist::test {

inline Device device_under_test() {
  static const Device device = [] {
    const char* name = std::getenv("MPDIST_TEST_DEVICE");
    if (!name || std::string_view(name) == "cpu") return Device::cpu;
    require(std::string_view(name) == "cuda", "MPDIST_TEST_DEVICE is \"{}\", expected cpu or cuda", name);
    const cuda::Status status = cuda::status();
    require(status.devices > 0, "MPDIST_TEST_DEVICE is cuda, but {}", status.reason);
    cuda::use(0);
    return Device::cuda;
  }();
  return device;
}

/// Where the tensors of a test lie.
inline Pool& pool_under_test() {
  return device_under_test() == Device::cuda ? Pool::cuda() : Pool::host();
}

/// The one stream of a test program: kernels and the copies below run in the order in which the test calls them. At the
/// end of the program it goes, and with it all memory that nobody uses: what is left then is a leak.
inline Stream& stream_under_test() {
  struct Memory {
    ~Memory() {
      if (device_under_test() == Device::cpu) return;
      Pool::cuda().trim();
      Pool::pinned().trim();
    }
  };
  struct Program {
    Memory memory;
    Stream stream{pool_under_test()};
  };
  static Program program;
  return program.stream;
}

/// Results that kernels of stream_under_test() wrote to the host. A test that reads none of them synchronizes before
/// they go.
template <class T>
const HostArray<T>& arrived(const HostArray<T>& results) {
  stream_under_test().synchronize();
  return results;
}
template <class T>
const T& arrived(const HostValue<T>& result) {
  stream_under_test().synchronize();
  return *result;
}

/// The elements in host memory: the tensor itself where it lies there, else a copy.
inline Tensor host_copy(const Tensor& tensor) {
  return tensor.device() == Device::cpu ? tensor : to_host(stream_under_test(), tensor, MemoryKind::workspace);
}

/// Replaces the elements of `tensor`, of any device, by those of `host`.
inline void assign(const Tensor& tensor, const Tensor& host) {
  if (tensor.raw() == host.raw()) return;
  if (tensor.device() == Device::cpu) {
    std::memcpy(tensor.raw(), host.raw(), tensor.bytes());
  } else {
    copy(stream_under_test(), host, tensor);
    stream_under_test().synchronize();
  }
}

/// Lets `change(host tensor)` change the elements of a tensor of any device.
template <class Change>
void edit(const Tensor& tensor, Change change) {
  const Tensor host = host_copy(tensor);
  change(host);
  assign(tensor, host);
}

/// As edit(), where `fill` writes every element and reads none.
template <class Fill>
void overwrite(const Tensor& tensor, Fill fill) {
  if (tensor.device() == Device::cpu) return fill(tensor);
  const Tensor host(tensor.shape(), tensor.dtype(), MemoryKind::workspace, stream_under_test().host_pool());
  fill(host);
  assign(tensor, host);
}

/// Element i as a tensor of its own.
inline Tensor element_of(const Tensor& tensor, std::int64_t i) {
  return tensor.reshaped({tensor.elements()}).rows(i, i + 1);
}

}  // namespace mpdist::test
