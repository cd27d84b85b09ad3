// SPDX-License-Identifier: Apache-2.0
#include "comm/communicator.hpp"

namespace mpdist::comm {

void require_range(const SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire) {
  require(is_compute_type(wire), "all-reduce: wire type fp32, fp16 or bf16, found {}", name_of(wire));
  const auto held = static_cast<std::int64_t>(buffer.bytes() / size_of(wire));
  require(begin >= 0 && count >= 0 && count <= held && begin <= held - count,
          "all-reduce: elements [{}, {}) of a buffer of {}", begin, begin + count, held);
}

}  // namespace mpdist::comm
