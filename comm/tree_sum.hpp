// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/tree.hpp"
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::comm {

/// Sums subtrees of a reduction tree over a run of elements, block by block, so that inner nodes stay in cache and only
/// the result is written to memory. One thread at a time.
class TreeSum {
 public:
  explicit TreeSum(ReductionTree tree) : tree_(std::move(tree)) {}
  const ReductionTree& tree() const { return tree_; }

  /// Writes the value of `node` over `count` elements to every array of `outputs` (at least one).
  /// values[k]: the elements of tree node k where it is known, else null and summed from its children; leaves below
  /// `node` must be known unless an ancestor is. An output may be one of the values.
  void run(int node, std::span<const std::byte* const> values, std::span<std::byte* const> outputs, std::int64_t count,
           DType wire);

  /// Bytes that a sum over so many leaves comes to hold for its inner nodes.
  static std::int64_t scratch_bytes(int leaves);

 private:
  struct Block;
  const std::byte* evaluate(const Block& block, int node, int slot, std::byte* output);
  std::byte* scratch(int slot);

  ReductionTree tree_;
  Stream stream_;
  std::vector<Tensor> scratch_;
};

}  // namespace mpdist::comm
