// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mpi.h>

#include <cstdint>
#include <span>
#include <vector>

#include "comm/mpi/topology.hpp"
#include "src/core/dtype.hpp"

namespace mpdist::comm {

/// The operations that MPI does not have, for MPI_Allreduce.
class ReductionOps {
 public:
  ReductionOps();
  ~ReductionOps();
  ReductionOps(const ReductionOps&) = delete;
  ReductionOps& operator=(const ReductionOps&) = delete;

  /// MPI's type and sum for a wire type: MPI_FLOAT with MPI_SUM; FP16 and BF16 as 16-bit words with our own sum, each
  /// addition in FP32 and rounded.
  MPI_Datatype type(DType wire) const { return wire == DType::fp32 ? MPI_FLOAT : MPI_UINT16_T; }
  MPI_Op sum(DType wire) const { return wire == DType::fp32 ? MPI_SUM : wire == DType::fp16 ? fp16_sum_ : bf16_sum_; }

  /// One MPI_Allreduce of one element, a struct of all lanes: minimum of the first `minimum_lanes`, sum of the rest.
  void merge_lanes(MPI_Comm comm, std::span<std::int64_t> lanes, std::size_t minimum_lanes);

 private:
  MPI_Op fp16_sum_ = MPI_OP_NULL, bf16_sum_ = MPI_OP_NULL, merge_ = MPI_OP_NULL;
  MPI_Datatype record_type_ = MPI_DATATYPE_NULL;
  std::vector<std::int64_t> record_;  ///< minimum lanes, lanes, then the lanes
};

}  // namespace mpdist::comm
