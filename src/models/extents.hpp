// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Maxima of keys that are extents: far above what is trained, far below where products of them overflow 64 bits.
namespace mpdist::models {

inline constexpr double kMaximumChannels = 1 << 16;
inline constexpr double kMaximumUnits = 1 << 20;
inline constexpr double kMaximumWindow = 1 << 10;  ///< kernel, window, stride, padding

}  // namespace mpdist::models
