// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/checkpoint/checkpoint.hpp"

namespace mpdist::checkpoint {

/// One tensor that is not the same in two checkpoints.
struct TensorDifference {
  enum class Kind { only_in_first, only_in_second, shape, values };
  std::string path;
  Kind kind = Kind::values;
  Shape first, second;         ///< of the sides that have it
  std::int64_t differing = 0;  ///< elements whose bits differ; 0 unless kind is values
  double largest = 0;          ///< largest absolute difference; infinite where bits differ and a side is not finite
};

struct Comparison {
  std::vector<TensorDifference> differences;  ///< by path
  std::int64_t tensors = 0;                   ///< names that either has
  std::optional<std::int64_t> first_step, second_step;

  /// Tensors alone decide: how many ranks or which host wrote a checkpoint does not make it another.
  bool identical() const { return differences.empty(); }
  /// "identical: N tensors", or a line for each difference and "different: D of N tensors"; a line on the steps when
  /// they differ. Ends with a newline.
  std::string to_string() const;
};

/// Bit for bit, so -0 differs from 0 (by 0) and a NaN equals itself only.
Comparison compare(const Checkpoint& first, const Checkpoint& second);

}  // namespace mpdist::checkpoint
