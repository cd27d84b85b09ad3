// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/hdf5/handle.hpp"
#include "src/hdf5/sparse_memory.hpp"

// For the sources of src/hdf5 only.
namespace mpdist::hdf5 {

/// File access properties with which HDF5 creates its file in `memory`, which outlives the file.
Handle access_in(SparseMemory& memory);

}  // namespace mpdist::hdf5
