// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/tree_exchange.hpp"

#include <cstring>

namespace mpdist::comm {
namespace {

constexpr int kSubtreeTag = 1;
constexpr int kResultTag = 2;

void wait_all(std::vector<MPI_Request>& requests) {
  MPDIST_MPI(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE));
  requests.clear();
}

}  // namespace

/// One slice as this rank's node sees it.
struct TreeExchange::Slice {
  int index = 0;
  std::int64_t count = 0, bytes = 0;
  DType wire = DType::fp32;
  std::vector<const std::byte*> values{};  ///< by tree node: the parts of the ranks of this node, else null
  std::vector<std::byte*> outputs{};       ///< where the result goes
};

TreeExchange::TreeExchange(const MpiGroup& world, const std::vector<int>& nodes)
    : world_(world), plan_(nodes), sum_(plan_.tree()), node_(nodes[world.rank()]) {
  for (int slice = 0; slice < plan_.ranks(); ++slice) {
    if (plan_.node_of(slice) != node_ && plan_.handler(node_, slice) == world.rank()) foreign_.push_back(slice);
  }
  received_.resize(plan_.tree().nodes().size());
}

TreeExchange::Slice TreeExchange::slice_of(NodeWindow& window, const WireRange& range, Delivery delivery,
                                           int index) const {
  const auto [first, last] = plan_.range(index, range.count);
  const auto size = static_cast<std::int64_t>(size_of(range.wire));
  Slice slice{.index = index, .count = last - first, .bytes = (last - first) * size, .wire = range.wire};
  const std::int64_t offset = (range.begin + first) * size;
  slice.values.resize(plan_.tree().nodes().size());
  const std::vector<int>& members = plan_.members(node_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    slice.values[plan_.tree().leaf(members[i])] = window.parts()[i] + offset;
    if (i == 0 || delivery == Delivery::every_rank) slice.outputs.push_back(window.parts()[i] + offset);
  }
  return slice;
}

std::int64_t TreeExchange::run(NodeWindow& window, const WireRange& range, Delivery delivery) {
  bytes_sent_ = window.shared() ? range.count * static_cast<std::int64_t>(size_of(range.wire)) : 0;
  window.barrier();
  const Slice own = slice_of(window, range, delivery, world_.rank());
  std::vector<Slice> foreign;
  for (int index : foreign_) foreign.push_back(slice_of(window, range, delivery, index));

  reserve_room(range);
  receive_subtrees(own);
  for (const Slice& slice : foreign) send_subtrees(slice);
  wait_all(receives_);
  finish(own);
  wait_all(sends_);  // results overwrite memory that is sent from
  for (const Slice& slice : foreign) receive_result(slice);
  send_result(own);
  wait_all(receives_);
  wait_all(sends_);
  for (const Slice& slice : foreign) {
    for (std::size_t i = 1; i < slice.outputs.size(); ++i) {
      std::memcpy(slice.outputs[i], slice.outputs[0], static_cast<std::size_t>(slice.bytes));
    }
  }
  if (delivery == Delivery::in_place) window.publish();
  window.barrier();
  return bytes_sent_;
}

/// One message per subtree, in the order of the sender's list: MPI keeps the order between two ranks.
void TreeExchange::receive_subtrees(const Slice& own) {
  for (int node = 0; node < plan_.node_count(); ++node) {
    if (node == node_) continue;
    for (int subtree : plan_.subtrees(node)) {
      std::byte* data = room(own.bytes);
      receive(data, own, plan_.handler(node, own.index), kSubtreeTag);
      received_[subtree] = data;
    }
  }
}

void TreeExchange::send_subtrees(const Slice& foreign) {
  for (int subtree : plan_.subtrees(node_)) {
    const std::byte* value = foreign.values[subtree];
    if (value == nullptr) {
      std::byte* data = room(foreign.bytes);
      sum_.run(subtree, foreign.values, std::span(&data, 1), foreign.count, foreign.wire);
      value = data;
    }
    send(value, foreign, foreign.index, kSubtreeTag);
  }
}

void TreeExchange::finish(const Slice& own) {
  std::vector<const std::byte*> values = own.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == nullptr) values[i] = received_[i];
  }
  sum_.run(plan_.tree().root(), values, own.outputs, own.count, own.wire);
}

void TreeExchange::send_result(const Slice& own) {
  for (int node = 0; node < plan_.node_count(); ++node) {
    if (node != node_) send(own.outputs[0], own, plan_.handler(node, own.index), kResultTag);
  }
}

void TreeExchange::receive_result(const Slice& foreign) {
  receive(foreign.outputs[0], foreign, foreign.index, kResultTag);
}

void TreeExchange::send(const std::byte* data, const Slice& slice, int to, int tag) {
  if (slice.bytes == 0) return;
  MPDIST_MPI(MPI_Isend(data, static_cast<int>(slice.bytes), MPI_BYTE, to, tag, world_.get(), &sends_.emplace_back()));
  bytes_sent_ += slice.bytes;
}

void TreeExchange::receive(std::byte* data, const Slice& slice, int from, int tag) {
  if (slice.bytes == 0) return;
  MPDIST_MPI(
      MPI_Irecv(data, static_cast<int>(slice.bytes), MPI_BYTE, from, tag, world_.get(), &receives_.emplace_back()));
}

/// Enough for all values that arrive and for all sums that are sent: no request may see the memory move.
void TreeExchange::reserve_room(const WireRange& range) {
  std::size_t values = foreign_.size() * plan_.subtrees(node_).size();
  for (int node = 0; node < plan_.node_count(); ++node) values += node == node_ ? 0 : plan_.subtrees(node).size();
  const auto longest = static_cast<std::size_t>(plan_.range(0, range.count).second) * size_of(range.wire);
  room_.resize(std::max(room_.size(), values * longest));
  room_used_ = 0;
}

std::byte* TreeExchange::room(std::int64_t bytes) {
  std::byte* data = room_.data() + room_used_;
  room_used_ += static_cast<std::size_t>(bytes);
  require(room_used_ <= room_.size(), "tree exchange: {} bytes of room, {} needed", room_.size(), room_used_);
  return data;
}

}  // namespace mpdist::comm
