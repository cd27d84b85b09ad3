// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/compare.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <set>

namespace mpdist::checkpoint {
namespace {

std::map<std::string, Tensor> by_path(const Checkpoint& checkpoint) {
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& tensor : checkpoint.tensors) tensors[tensor.path] = tensor.values;
  return tensors;
}

std::optional<std::int64_t> step_of(const Checkpoint& checkpoint) {
  const auto found = checkpoint.integers.find("run/step");
  if (found == checkpoint.integers.end()) return std::nullopt;
  return found->second;
}

void count_differences(const Tensor& first, const Tensor& second, TensorDifference& out) {
  const auto a = first.span<float>(), b = second.span<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    ++out.differing;
    const double difference = std::abs(double{a[i]} - double{b[i]});
    out.largest =
        std::isfinite(difference) ? std::max(out.largest, difference) : std::numeric_limits<double>::infinity();
  }
}

std::string line_of(const TensorDifference& difference) {
  switch (difference.kind) {
    case TensorDifference::Kind::only_in_first:
      return fmt::format("{}: only in the first, {}\n", difference.path, difference.first.to_string());
    case TensorDifference::Kind::only_in_second:
      return fmt::format("{}: only in the second, {}\n", difference.path, difference.second.to_string());
    case TensorDifference::Kind::shape:
      return fmt::format("{}: shape {} and {}\n", difference.path, difference.first.to_string(),
                         difference.second.to_string());
    case TensorDifference::Kind::values:
      break;
  }
  return fmt::format("{}: {} of {} elements differ, largest difference {:.9g}\n", difference.path, difference.differing,
                     difference.first.elements(), difference.largest);
}

}  // namespace

Comparison compare(const Checkpoint& first, const Checkpoint& second) {
  using Kind = TensorDifference::Kind;
  Comparison result{.first_step = step_of(first), .second_step = step_of(second)};
  const auto a = by_path(first), b = by_path(second);
  std::set<std::string> paths;
  for (const auto& side : {a, b}) {
    for (const auto& [path, tensor] : side) paths.insert(path);
  }
  result.tensors = static_cast<std::int64_t>(paths.size());
  for (const std::string& path : paths) {
    const auto in_a = a.find(path), in_b = b.find(path);
    if (in_b == b.end()) {
      result.differences.push_back({.path = path, .kind = Kind::only_in_first, .first = in_a->second.shape()});
      continue;
    }
    if (in_a == a.end()) {
      result.differences.push_back({.path = path, .kind = Kind::only_in_second, .second = in_b->second.shape()});
      continue;
    }
    TensorDifference difference{.path = path, .first = in_a->second.shape(), .second = in_b->second.shape()};
    if (difference.first == difference.second) {
      count_differences(in_a->second, in_b->second, difference);
    } else {
      difference.kind = Kind::shape;
    }
    if (difference.kind == Kind::shape || difference.differing > 0) result.differences.push_back(difference);
  }
  return result;
}

std::string Comparison::to_string() const {
  std::string text;
  for (const TensorDifference& difference : differences) text += line_of(difference);
  text += identical() ? fmt::format("identical: {} tensors\n", tensors)
                      : fmt::format("different: {} of {} tensors\n", differences.size(), tensors);
  if (first_step != second_step) {
    const auto name = [](const std::optional<std::int64_t>& step) { return step ? std::to_string(*step) : "none"; };
    text += fmt::format("step: {} and {}\n", name(first_step), name(second_step));
  }
  return text;
}

}  // namespace mpdist::checkpoint
