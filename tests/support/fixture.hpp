// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "src/hdf5/file.hpp"

namespace mpdist::test {

/// All elements of an FP32 or FP64 dataset, in order.
inline std::vector<float> read_floats(const hdf5::Dataset& dataset) {
  const auto count = static_cast<std::size_t>(dataset.shape().elements());
  std::vector<float> values(count);
  if (dataset.dtype() == DType::fp64) {
    std::vector<double> wide(count);
    dataset.read(wide.data());
    std::copy(wide.begin(), wide.end(), values.begin());
  } else {
    dataset.read(values.data());
  }
  return values;
}

/// A number among the attributes.
inline double number(const hdf5::Group& group, const std::string& name) {
  const hdf5::Scalar value = group.attribute(name);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  return std::get<double>(value);
}

}  // namespace mpdist::test
