// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "comm/exchange_plan.hpp"
#include "comm/mpi/node_window.hpp"
#include "comm/tree_sum.hpp"

namespace mpdist::comm {

/// A run of elements at the same place of every rank's part.
struct WireRange {
  std::int64_t begin = 0, count = 0;  ///< elements
  DType wire = DType::fp32;
};

/// The tree all-reduce: sums in the window within a node, messages between nodes, by the plan.
class TreeExchange {
 public:
  TreeExchange(const MpiGroup& world, const std::vector<int>& nodes);

  /// Collective. The sum lies in window.result(), or in every part with Delivery::every_rank. Returns the bytes that
  /// this rank handed to others.
  std::int64_t run(NodeWindow& window, const WireRange& range, Delivery delivery);

 private:
  struct Slice;
  Slice slice_of(NodeWindow& window, const WireRange& range, Delivery delivery, int slice) const;
  void receive_subtrees(const Slice& own);
  void send_subtrees(const Slice& foreign);
  void finish(const Slice& own);
  void send_result(const Slice& own);
  void receive_result(const Slice& foreign);
  void send(const std::byte* data, const Slice& slice, int to, int tag);
  void receive(std::byte* data, const Slice& slice, int from, int tag);
  void reserve_room(const WireRange& range);
  std::byte* room(std::int64_t bytes);

  const MpiGroup& world_;
  ExchangePlan plan_;
  TreeSum sum_;
  int node_;
  std::vector<int> foreign_;                ///< slices of other nodes' ranks that this rank handles for its node
  std::vector<const std::byte*> received_;  ///< by tree node: values of other nodes' subtrees over the own slice
  std::vector<MPI_Request> sends_, receives_;
  std::vector<std::byte> room_;  ///< subtree values on their way; grows to what a bucket needs and stays
  std::size_t room_used_ = 0;
  std::int64_t bytes_sent_ = 0;
};

}  // namespace mpdist::comm
