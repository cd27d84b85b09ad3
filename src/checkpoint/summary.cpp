// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace mpdist::checkpoint {
namespace {

struct Range {
  float smallest = std::numeric_limits<float>::infinity(), largest = -smallest;
  double squares = 0;
  std::int64_t non_finite = 0;
};

/// Smallest, largest and norm are those of the finite elements.
Range range_of(const Tensor& tensor) {
  Range range;
  for (float value : tensor.span<float>()) {
    if (!std::isfinite(value)) {
      ++range.non_finite;
      continue;
    }
    range.smallest = std::min(range.smallest, value);
    range.largest = std::max(range.largest, value);
    range.squares += double{value} * value;
  }
  return range;
}

std::string text_value(const std::string& text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest && text.find('\n') == std::string::npos) return text;
  return fmt::format("({} lines, {} bytes)", std::count(text.begin(), text.end(), '\n'), text.size());
}

std::string row(const NamedTensor& tensor, std::size_t name_width) {
  const Range range = range_of(tensor.values);
  std::string text = fmt::format("{:<{}}  {:<20}", tensor.path, name_width, tensor.values.shape().to_string());
  if (range.smallest <= range.largest) {
    text += fmt::format("  {:>13.6g}  {:>13.6g}  {:>13.6g}", range.smallest, range.largest, std::sqrt(range.squares));
  }
  if (range.non_finite > 0) text += fmt::format("  {} not finite", range.non_finite);
  return text + "\n";
}

}  // namespace

std::string summary(const Checkpoint& checkpoint) {
  std::map<std::string, std::string> scalars;  // one order for all three kinds
  for (const auto& [path, value] : checkpoint.integers) scalars[path] = std::to_string(value);
  for (const auto& [path, value] : checkpoint.reals) scalars[path] = fmt::format("{}", value);
  for (const auto& [path, value] : checkpoint.texts) scalars[path] = text_value(value);
  std::size_t width = 0;
  for (const auto& [path, value] : scalars) width = std::max(width, path.size());
  std::string text;
  for (const auto& [path, value] : scalars) text += fmt::format("{:<{}}  {}\n", path, width, value);

  std::size_t name_width = 6, elements = 0;
  for (const NamedTensor& tensor : checkpoint.tensors) {
    name_width = std::max(name_width, tensor.path.size());
    elements += static_cast<std::size_t>(tensor.values.elements());
  }
  text +=
      fmt::format("\n{:<{}}  {:<20}  {:>13}  {:>13}  {:>13}\n", "tensor", name_width, "shape", "min", "max", "norm");
  for (const NamedTensor& tensor : checkpoint.tensors) text += row(tensor, name_width);
  return text + fmt::format("{} tensors, {} elements\n", checkpoint.tensors.size(), elements);
}

}  // namespace mpdist::checkpoint
