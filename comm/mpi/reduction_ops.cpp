// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/reduction_ops.hpp"

#include <algorithm>

#include "kernels/add.hpp"

namespace mpdist::comm {
namespace {

constexpr int kHeader = 2;  // minimum lanes, lanes: MPI hands an operation nothing but the data

template <DType wire>
void sum_words(void* in, void* in_out, int* length, MPI_Datatype*) {
  static thread_local Stream stream;
  const Tensor left(in, Shape{*length}, wire);
  const Tensor right(in_out, Shape{*length}, wire);
  kernels::add(stream, {.left = left, .right = right, .out = right});
}

void merge_records(void* in, void* in_out, int* length, MPI_Datatype*) {
  const auto* from = static_cast<const std::int64_t*>(in);
  auto* into = static_cast<std::int64_t*>(in_out);
  for (int record = 0; record < *length; ++record) {
    const std::int64_t minimum_lanes = into[0], lanes = into[1];
    from += kHeader;
    into += kHeader;
    for (std::int64_t i = 0; i < lanes; ++i)
      into[i] = i < minimum_lanes ? std::min(from[i], into[i]) : from[i] + into[i];
    from += lanes;
    into += lanes;
  }
}

}  // namespace

ReductionOps::ReductionOps() {
  MPDIST_MPI(MPI_Op_create(sum_words<DType::fp16>, 1, &fp16_sum_));
  MPDIST_MPI(MPI_Op_create(sum_words<DType::bf16>, 1, &bf16_sum_));
  MPDIST_MPI(MPI_Op_create(merge_records, 1, &merge_));
}

ReductionOps::~ReductionOps() {
  for (MPI_Op* op : {&fp16_sum_, &bf16_sum_, &merge_}) {
    if (*op != MPI_OP_NULL) MPI_Op_free(op);
  }
  if (record_type_ != MPI_DATATYPE_NULL) MPI_Type_free(&record_type_);
}

void ReductionOps::merge_lanes(MPI_Comm comm, std::span<std::int64_t> lanes, std::size_t minimum_lanes) {
  require(minimum_lanes <= lanes.size(), "merge_lanes: {} minimum lanes of {}", minimum_lanes, lanes.size());
  if (record_.size() != lanes.size() + kHeader) {
    record_.resize(lanes.size() + kHeader);
    if (record_type_ != MPI_DATATYPE_NULL) MPDIST_MPI(MPI_Type_free(&record_type_));
    MPDIST_MPI(MPI_Type_contiguous(static_cast<int>(record_.size()), MPI_INT64_T, &record_type_));
    MPDIST_MPI(MPI_Type_commit(&record_type_));
  }
  record_[0] = static_cast<std::int64_t>(minimum_lanes);
  record_[1] = static_cast<std::int64_t>(lanes.size());
  std::copy(lanes.begin(), lanes.end(), record_.begin() + kHeader);
  MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, record_.data(), 1, record_type_, merge_, comm));
  std::copy(record_.begin() + kHeader, record_.end(), lanes.begin());
}

}  // namespace mpdist::comm
