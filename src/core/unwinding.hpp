// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>

namespace mpdist {

/// Whether an exception unwinds that was not there when the object was made. Then clean-up that other ranks take part
/// in (MPI_Win_free, MPI_Finalize), or that waits for work of theirs, would wait for ever: it is left out, and main
/// aborts the job.
class UnwindingCheck {
 public:
  UnwindingCheck() : exceptions_(std::uncaught_exceptions()) {}
  bool unwinding() const { return std::uncaught_exceptions() > exceptions_; }

 private:
  int exceptions_;
};

}  // namespace mpdist
