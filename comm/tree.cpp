// SPDX-License-Identifier: Apache-2.0
#include "comm/tree.hpp"

#include <bit>

#include "src/core/error.hpp"

namespace mpdist::comm {

int left_leaves(int leaves) {
  return static_cast<int>(std::bit_floor(static_cast<unsigned>(leaves - 1)));
}

ReductionTree::ReductionTree(int leaves) {
  require(leaves > 0, "reduction tree: at least one leaf, found {}", leaves);
  nodes_.reserve(2 * static_cast<std::size_t>(leaves) - 1);
  build(0, leaves);
}

int ReductionTree::build(int begin, int end) {
  TreeNode node{.begin = begin, .end = end};
  if (end - begin > 1) {
    const int middle = begin + left_leaves(end - begin);
    node.left = build(begin, middle);
    node.right = build(middle, end);
  }
  nodes_.push_back(node);
  if (node.is_leaf()) leaves_.push_back(root());
  return root();
}

std::vector<int> ReductionTree::complete_subtrees(const std::vector<bool>& covered) const {
  require(static_cast<int>(covered.size()) == leaves(), "reduction tree of {} leaves: cover of {}", leaves(),
          covered.size());
  std::vector<int> found;
  if (collect(root(), covered, found)) found = {root()};
  return found;
}

/// Whether all leaves of `node` are covered; where only one child is complete, that child is a maximal one.
bool ReductionTree::collect(int node, const std::vector<bool>& covered, std::vector<int>& found) const {
  const TreeNode& here = nodes_[node];
  if (here.is_leaf()) return covered[here.begin];
  const std::size_t before = found.size();
  const bool left = collect(here.left, covered, found);
  if (left) found.push_back(here.left);
  const bool right = collect(here.right, covered, found);
  if (right) found.push_back(here.right);
  if (left && right) found.resize(before);
  return left && right;
}

}  // namespace mpdist::comm
