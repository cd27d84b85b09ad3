// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>

namespace mpdist::comm {

/// Whether an exception unwinds that was not there when the object was made. Then collective clean-up (MPI_Win_free,
/// MPI_Comm_free, MPI_Finalize) would wait for ranks that never come: it is left out, and main aborts the job.
class UnwindingCheck {
 public:
  UnwindingCheck() : exceptions_(std::uncaught_exceptions()) {}
  bool unwinding() const { return std::uncaught_exceptions() > exceptions_; }

 private:
  int exceptions_;
};

}  // namespace mpdist::comm
