// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/cuda.hpp"

namespace mpdist {

/// A part of the work with a name, "backward", for as long as it lives: what this thread does meanwhile stands under
/// that name in a profile (NVTX). Nothing in a build without CUDA.
class Range {
 public:
  explicit Range(const char* name) { cuda::open_range(name); }
  ~Range() { cuda::close_range(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace mpdist
