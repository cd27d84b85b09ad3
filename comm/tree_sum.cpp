// SPDX-License-Identifier: Apache-2.0
#include "comm/tree_sum.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/add.hpp"

namespace mpdist::comm {
namespace {

// Three operands of this size lie in the second-level cache, and a kernel call of a microsecond or more hides its own
// cost.
constexpr std::int64_t kBlockBytes = 32 << 10;

}  // namespace

/// One run of elements [offset, offset+bytes) of all arrays.
struct TreeSum::Block {
  std::span<const std::byte* const> values;
  std::int64_t offset = 0, bytes = 0;
  DType wire = DType::fp32;
};

void TreeSum::run(int node, std::span<const std::byte* const> values, std::span<std::byte* const> outputs,
                  std::int64_t count, DType wire) {
  const std::int64_t bytes = count * static_cast<std::int64_t>(size_of(wire));
  for (std::int64_t offset = 0; offset < bytes; offset += kBlockBytes) {
    const Block block{values, offset, std::min(kBlockBytes, bytes - offset), wire};
    const std::byte* sum = evaluate(block, node, 0, outputs[0] + offset);
    for (std::byte* output : outputs) {
      if (output + offset != sum) std::memcpy(output + offset, sum, static_cast<std::size_t>(block.bytes));
    }
  }
}

/// The value of `node` over the block: where it is known, or summed into `output` (null: scratch slot `slot`). A left
/// value waits in slot s+1 while the right one uses s+2 and above.
const std::byte* TreeSum::evaluate(const Block& block, int node, int slot, std::byte* output) {
  if (const std::byte* known = block.values[node]) return known + block.offset;
  const TreeNode& here = tree_.nodes()[node];
  require(!here.is_leaf(), "tree sum: leaf {} has no value", here.begin);
  const std::byte* left = evaluate(block, here.left, slot + 1, nullptr);
  const std::byte* right = evaluate(block, here.right, slot + 2, nullptr);
  if (output == nullptr) output = scratch(slot);
  const Shape shape{block.bytes / static_cast<std::int64_t>(size_of(block.wire))};
  const auto view = [&](const std::byte* data) { return Tensor(const_cast<std::byte*>(data), shape, block.wire); };
  kernels::add(stream_, {.left = view(left), .right = view(right), .out = view(output)});
  return output;
}

/// Each level below the root's children needs a block for its left and one for its right side.
std::int64_t TreeSum::scratch_bytes(int leaves) {
  const int levels = std::bit_width(static_cast<unsigned>(leaves - 1));
  return 2 * std::max(levels - 1, 0) * kBlockBytes;
}

std::byte* TreeSum::scratch(int slot) {
  while (static_cast<int>(scratch_.size()) <= slot) {
    scratch_.emplace_back(Shape{kBlockBytes}, DType::uint8, MemoryKind::workspace);
  }
  return static_cast<std::byte*>(scratch_[slot].raw());
}

}  // namespace mpdist::comm
