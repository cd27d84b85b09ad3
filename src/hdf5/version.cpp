// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/version.hpp"

#include <fmt/format.h>

#include "src/hdf5/call.hpp"

namespace mpdist::hdf5 {

std::string version() {
  unsigned major = 0, minor = 0, release = 0;
  MPDIST_HDF5(H5get_libversion, &major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace mpdist::hdf5
