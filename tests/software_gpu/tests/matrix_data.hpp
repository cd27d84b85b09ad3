// SPDX-License-Identifier: Apache-2.0
// Data for tests of the matrix libraries' stand-ins: random values that their type holds exactly, on host and device.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/software_gpu/numerics/element.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu::testing {

using Floats = std::vector<float>;

inline Floats random_values(Element type, std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  Floats values(count);
  for (float& value : values) value = rounded(type, distribution(generator));
  return values;
}

/// Device memory with elements of a type.
class Array {
 public:
  /// Uninitialised.
  Array(Element type, std::size_t count)
      : type_(type), count_(count), memory_(Memory::device, count * bytes_of(type)) {}
  Array(Element type, const Floats& values) : Array(type, values.size()) {
    std::vector<std::byte> bytes(values.size() * bytes_of(type));
    narrow(type, values.data(), values.size(), bytes.data());
    call(cudaMemcpy(memory_.get(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  }
  ~Array() { cudaDeviceSynchronize(); }  // its users are done; an error is another call's to find
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  void* get(std::size_t element = 0) const { return memory_.get(element * bytes_of(type_)); }
  Floats values() const {
    std::vector<std::byte> bytes(count_ * bytes_of(type_));
    call(cudaMemcpy(bytes.data(), memory_.get(), bytes.size(), cudaMemcpyDeviceToHost));
    Floats result(count_);
    widen(type_, bytes.data(), count_, result.data());
    return result;
  }

 private:
  Element type_;
  std::size_t count_;
  Memory memory_;
};

/// What a sum of `terms` FP32 products, whose absolute values add up to `magnitude`, may be off once it is rounded to
/// `type`: each addition rounds (Higham 2002, section 3.1), and so does the store.
inline double bound(Element type, std::size_t terms, double magnitude) {
  const double unit = type == Element::fp32 ? 0x1p-24 : type == Element::fp16 ? 0x1p-11 : 0x1p-8;
  return magnitude * (static_cast<double>(terms + 2) * 0x1p-24 + unit) + 0x1p-25;
}

inline void expect_near(const Floats& found, const std::vector<double>& expected, const std::vector<double>& bounds,
                        int line = __builtin_LINE()) {
  require(found.size() == expected.size(), "sizes agree", line);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool near = std::abs(static_cast<double>(found[i]) - expected[i]) <= bounds[i];
    require(near,
            "element " + std::to_string(i) + ": " + std::to_string(found[i]) + " is " + std::to_string(expected[i]),
            line);
  }
}

/// The child must end with status 0, whatever it said.
inline void expect_ends_well(const std::function<void()>& body) {
  const Outcome outcome = run_in_child(schedule("random"), body);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

}  // namespace software_gpu::testing
