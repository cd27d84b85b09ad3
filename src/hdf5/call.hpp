// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <hdf5.h>

#include <mutex>
#include <string_view>

#include "src/hdf5/handle.hpp"

// For the sources of src/hdf5 only: no other header includes HDF5.
namespace mpdist::hdf5 {

/// Held through every call of HDF5, by all threads of the process: a library that was built without thread safety has
/// no lock of its own, not even around its error stack. A thread may take it again.
class LibraryLock {
 public:
  LibraryLock();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

/// Stops HDF5 from printing its error stacks; the setting is per thread, so every call asks for it.
void silence();

/// Throws LibraryError with the innermost line of the calling thread's error stack.
[[noreturn]] void throw_last_error(std::string_view call);

template <class Result>
Result checked(std::string_view call, Result result) {
  if (result < 0) throw_last_error(call);
  return result;
}

}  // namespace mpdist::hdf5

/// MPDIST_HDF5(H5Dwrite, arguments...): the result of a call that must succeed. The lock lives to the end of the full
/// expression, so that no other thread touches the error stack before it is read.
#define MPDIST_HDF5(function, ...) (LibraryLock(), silence(), checked(#function, function(__VA_ARGS__)))
