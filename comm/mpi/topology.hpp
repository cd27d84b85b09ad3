// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mpi.h>

#include <string>
#include <vector>

#include "comm/mpi/check.hpp"
#include "comm/mpi/mpi_options.hpp"
#include "src/core/unwinding.hpp"

namespace mpdist::comm {

/// An owned communicator: freed collectively, except while an exception unwinds.
class MpiGroup {
 public:
  MpiGroup() = default;
  explicit MpiGroup(MPI_Comm comm);
  ~MpiGroup();
  MpiGroup(MpiGroup&& other) noexcept;
  MpiGroup& operator=(MpiGroup&& other) noexcept;

  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  UnwindingCheck unwinding_;
};

/// Which ranks share memory. Collective over `world`.
struct Topology {
  Topology(const MpiGroup& world, const MpiOptions& options);

  MpiGroup host;                   ///< ranks of this machine
  MpiGroup node;                   ///< ranks of this (perhaps pretended) node, in the order of their ranks
  std::vector<int> nodes;          ///< [ranks] node number of each rank, numbered by first rank
  std::vector<std::string> hosts;  ///< [ranks]
  bool crowded = false;            ///< the ranks of this machine exceed the CPUs that they may use together
};

}  // namespace mpdist::comm
