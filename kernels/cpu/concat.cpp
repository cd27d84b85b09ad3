// SPDX-License-Identifier: Apache-2.0
#include "kernels/concat.hpp"

#include <cstddef>
#include <cstring>

namespace mpdist::kernels::cpu {
namespace {

/// Bytes of a row of `narrow`, of one of `wide`, and from the latter's begin to the former's place in it.
struct Rows {
  std::size_t narrow, wide, offset;
  std::int64_t count;
  Rows(const Tensor& part, const Tensor& whole, std::int64_t first)
      : narrow(static_cast<std::size_t>(part.shape()[-1]) * size_of(part.dtype())),
        wide(static_cast<std::size_t>(whole.shape()[-1]) * size_of(part.dtype())),
        offset(static_cast<std::size_t>(first) * size_of(part.dtype())),
        count(narrow ? static_cast<std::int64_t>(part.bytes() / narrow) : 0) {}
};

}  // namespace

void concat_forward(Stream&, const ConcatForward& a) {
  const Rows rows(a.part, a.whole, a.first);
  const std::byte* from = static_cast<const std::byte*>(a.part.raw());
  std::byte* to = static_cast<std::byte*>(a.whole.raw()) + rows.offset;
  for (std::int64_t r = 0; r < rows.count; ++r, from += rows.narrow, to += rows.wide)
    std::memcpy(to, from, rows.narrow);
}

void concat_backward(Stream&, const ConcatBackward& a) {
  const Rows rows(a.dpart, a.dwhole, a.first);
  const std::byte* from = static_cast<const std::byte*>(a.dwhole.raw()) + rows.offset;
  std::byte* to = static_cast<std::byte*>(a.dpart.raw());
  for (std::int64_t r = 0; r < rows.count; ++r, from += rows.wide, to += rows.narrow)
    std::memcpy(to, from, rows.narrow);
}

}  // namespace mpdist::kernels::cpu
