// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "src/core/error.hpp"

namespace mpdist {

/// Extents of a tensor, outermost first, at most kMaxRank of them. Rows are contiguous. The empty shape is a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    for (std::int64_t extent : extents) append(extent);
  }

  void append(std::int64_t extent) {
    require(rank_ < kMaxRank && extent >= 0, "shape: at most {} extents, none negative; found {} at position {}",
            kMaxRank, extent, rank_);
    extents_[rank_++] = extent;
  }

  int rank() const { return rank_; }
  /// Extent of dimension `i`; negative `i` counts from the end.
  std::int64_t operator[](int i) const { return extents_[i < 0 ? rank_ + i : i]; }
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }

  std::int64_t elements() const {
    std::int64_t product = 1;
    for (std::int64_t extent : *this) product *= extent;
    return product;
  }

  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i) {
      if (extents_[i] != other.extents_[i]) return false;
    }
    return true;
  }

  /// "[64, 28, 28, 1]"
  std::string to_string() const {
    std::string text = "[";
    for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(extents_[i]);
    return text + "]";
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace mpdist
