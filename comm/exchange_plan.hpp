// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "comm/tree.hpp"

namespace mpdist::comm {

/// Elements [first, second) of slice `slice` when `count` elements are cut into `slices`: whole cache lines, the last
/// ones perhaps empty.
std::pair<std::int64_t, std::int64_t> slice_range(int slice, int slices, std::int64_t count);

/// Who sums and sends what in a tree all-reduce, as data. The elements are cut into one slice per rank; rank i owns
/// slice i and finishes its tree. On each node exactly one rank, the handler, reads and writes a given slice of the
/// node's window: the owner where it lives there, else one of the node's ranks in turn. The handler sends the owner one
/// value per maximal complete subtree that the node covers, and receives the finished slice from it. So no two ranks of
/// a node touch the same slice between the two barriers around the exchange.
class ExchangePlan {
 public:
  /// nodes: [ranks] node number of each rank, numbered by first rank.
  explicit ExchangePlan(const std::vector<int>& nodes);

  const ReductionTree& tree() const { return tree_; }
  int ranks() const { return static_cast<int>(node_of_.size()); }
  int node_count() const { return static_cast<int>(members_.size()); }
  int node_of(int rank) const { return node_of_[rank]; }
  const std::vector<int>& members(int node) const { return members_[node]; }    ///< ranks, ascending
  const std::vector<int>& subtrees(int node) const { return subtrees_[node]; }  ///< tree nodes that `node` covers
  int handler(int node, int slice) const { return handler_[node][slice]; }      ///< a rank of `node`

  /// Elements [first, second) of slice `slice` of `count` elements, one slice a rank.
  std::pair<std::int64_t, std::int64_t> range(int slice, std::int64_t count) const;

 private:
  ReductionTree tree_;
  std::vector<int> node_of_;
  std::vector<std::vector<int>> members_, subtrees_, handler_;
};

}  // namespace mpdist::comm
