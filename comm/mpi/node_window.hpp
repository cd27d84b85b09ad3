// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/mpi/topology.hpp"

namespace mpdist::comm {

/// What a rank tells the others of its node, alone in its cache lines: counts that only grow.
struct alignas(128) NodeFlags {
  std::atomic<std::uint32_t> arrived;   ///< barriers reached
  std::atomic<std::uint32_t> results;   ///< (first rank of the node) results that lie in its part
  std::atomic<std::uint32_t> released;  ///< results this rank is done with
};

/// A SharedBuffer in an MPI shared window: per rank of the node its flags, then its part. Results that are read in
/// place lie in the part of the node's first rank. Where a window does not fit, every rank of every node has private
/// memory instead and counts as a node of its own.
class NodeWindow final : public SharedBuffer {
 public:
  /// Collective over `world`.
  NodeWindow(const MpiGroup& world, const Topology& topology, std::size_t bytes, std::int64_t shared_memory_limit);
  ~NodeWindow() override;
  NodeWindow(const NodeWindow&) = delete;
  NodeWindow& operator=(const NodeWindow&) = delete;

  std::byte* local() const override { return parts_[rank_]; }
  std::size_t bytes() const override { return bytes_; }
  bool shared() const override { return parts_.size() > 1; }
  void release() override;
  void acquire() override;

  bool in_window() const { return window_ != MPI_WIN_NULL; }
  const std::vector<std::byte*>& parts() const { return parts_; }  ///< by rank within the node
  std::byte* result() const { return parts_[0]; }                  ///< where the node reads results in place

  /// Waits until every rank of the node is here; memory written before is seen by all after.
  void barrier();
  /// A result now lies in result(), to be released by every rank of the node. Between barriers, by every rank.
  void publish();

 private:
  void reserve(const MpiGroup& world, std::int64_t shared_memory_limit);
  bool map_window(std::size_t part_bytes);
  void free_window();
  void wait(const std::atomic<std::uint32_t>& flag, std::uint32_t value) const;

  const Topology& topology_;
  std::size_t bytes_;
  bool crosses_nodes_;  ///< messages may be under way while this rank waits on a flag
  int rank_ = 0;
  MPI_Win window_ = MPI_WIN_NULL;
  Tensor private_memory_;
  std::vector<std::byte*> parts_;
  std::vector<NodeFlags*> flags_;
  std::uint32_t barriers_ = 0, results_ = 0;
  UnwindingCheck unwinding_;
};

}  // namespace mpdist::comm
