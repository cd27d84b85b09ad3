// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <hdf5.h>

#include <string_view>

#include "src/hdf5/handle.hpp"

// For the sources of src/hdf5 only: no other header includes HDF5.
namespace mpdist::hdf5 {

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

/// MPDIST_HDF5(H5Dwrite, arguments...): the result of a call that must succeed.
#define MPDIST_HDF5(function, ...) (silence(), checked(#function, function(__VA_ARGS__)))
