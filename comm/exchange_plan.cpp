// SPDX-License-Identifier: Apache-2.0
#include "comm/exchange_plan.hpp"

#include <algorithm>

namespace mpdist::comm {
namespace {

constexpr std::int64_t kSliceAlignment = 32;  // elements: a cache line of the 16-bit types, two of FP32

}  // namespace

std::pair<std::int64_t, std::int64_t> slice_range(int slice, int slices, std::int64_t count) {
  const std::int64_t lines = (count + kSliceAlignment - 1) / kSliceAlignment;
  const std::int64_t length = (lines + slices - 1) / slices * kSliceAlignment;
  return {std::min(count, slice * length), std::min(count, (slice + 1) * length)};
}

ExchangePlan::ExchangePlan(const std::vector<int>& nodes) : tree_(static_cast<int>(nodes.size())), node_of_(nodes) {
  members_.resize(static_cast<std::size_t>(*std::max_element(nodes.begin(), nodes.end())) + 1);
  for (int rank = 0; rank < ranks(); ++rank) members_[node_of_[rank]].push_back(rank);
  for (int node = 0; node < node_count(); ++node) {
    std::vector<bool> covered(node_of_.size());
    for (int rank : members_[node]) covered[rank] = true;
    subtrees_.push_back(tree_.complete_subtrees(covered));
    std::vector<int> handler;
    std::size_t turn = 0;
    for (int slice = 0; slice < ranks(); ++slice) {
      handler.push_back(node_of_[slice] == node ? slice : members_[node][turn++ % members_[node].size()]);
    }
    handler_.push_back(std::move(handler));
  }
}

std::pair<std::int64_t, std::int64_t> ExchangePlan::range(int slice, std::int64_t count) const {
  return slice_range(slice, ranks(), count);
}

}  // namespace mpdist::comm
