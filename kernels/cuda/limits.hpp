// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace mpdist::kernels::cuda {

/// Most workspace that a plan of cuBLASLt or cuDNN may need. A constant: what is chosen under it, and so the bits, must
/// not depend on free memory.
inline constexpr std::size_t kLibraryWorkspaceBytes = std::size_t{32} << 20;

/// Alignment of that workspace; a stream's workspace begins at a multiple of it.
inline constexpr std::size_t kLibraryWorkspaceAlignment = 256;

/// Alignment of every array that is handed to those libraries; pools and parameter slices have 64.
inline constexpr std::size_t kLibraryAlignment = 16;

}  // namespace mpdist::kernels::cuda
