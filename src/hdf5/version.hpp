// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::hdf5 {

/// The HDF5 library at run time: "1.10.8".
std::string version();

}  // namespace mpdist::hdf5
