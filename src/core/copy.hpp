// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist {

/// Enqueues a copy of all bytes of `from` to `to`, of any devices; both have one type and one number of elements. Where
/// one lies in host memory, that memory stays as it is until the stream has been synchronized.
void copy(const Stream& stream, const Tensor& from, const Tensor& to);

/// Enqueues zeros for every byte.
void fill_zero(const Stream& stream, const Tensor& tensor);

/// A tensor in host memory with the elements of `tensor`: itself where it lies there, else a copy that has arrived.
Tensor to_host(const Stream& stream, const Tensor& tensor, MemoryKind kind);

/// A tensor in memory of the stream's device with the elements of `host`: itself on the CPU, else a copy that has
/// arrived.
Tensor to_device(const Stream& stream, const Tensor& host, MemoryKind kind);

}  // namespace mpdist
