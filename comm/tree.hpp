// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

namespace mpdist::comm {

/// One node of the reduction tree: the sum of leaves [begin, end). A leaf has no children.
struct TreeNode {
  int begin = 0, end = 0;
  int left = -1, right = -1;  ///< places in ReductionTree::nodes()
  bool is_leaf() const { return left < 0; }
};

/// The reduction tree as data. A node of n leaves splits into the largest power of two below n on the left and the rest
/// on the right. So S = N * 2^k leaves dealt out in runs of 2^k give each of N ranks one complete subtree, and what
/// remains above them is the tree of N leaves.
class ReductionTree {
 public:
  explicit ReductionTree(int leaves);

  int leaves() const { return static_cast<int>(leaves_.size()); }
  /// Children before parents, left before right; the root is last.
  const std::vector<TreeNode>& nodes() const { return nodes_; }
  int root() const { return static_cast<int>(nodes_.size()) - 1; }
  int leaf(int index) const { return leaves_[index]; }  ///< place of leaf `index` in nodes()

  /// The nodes, left to right, whose leaves are all in `covered` while their parent's are not: what the holder of these
  /// leaves can sum by itself.
  std::vector<int> complete_subtrees(const std::vector<bool>& covered) const;

 private:
  int build(int begin, int end);
  bool collect(int node, const std::vector<bool>& covered, std::vector<int>& found) const;

  std::vector<TreeNode> nodes_;
  std::vector<int> leaves_;
};

/// Leaves on the left of a node of `leaves` > 1: the largest power of two below it.
int left_leaves(int leaves);

}  // namespace mpdist::comm
