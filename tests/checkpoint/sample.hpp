// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdlib.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "src/checkpoint/checkpoint.hpp"

namespace mpdist::checkpoint::testing {

/// An empty folder of its own that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mpdist_checkpoint_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  int files() const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++count;
    return count;
  }

 private:
  std::string path_;
};

/// Elements whose bits are a hash of (seed, index): NaN payloads, infinities, subnormals and zeros of both signs among
/// them.
inline Tensor any_bits(Shape shape, std::uint32_t seed) {
  constexpr std::uint32_t kSpecial[] = {0x80000000u, 0x00000001u, 0x807fffffu, 0x7f800000u,
                                        0xff800000u, 0x7fc12345u, 0xffa00001u};
  Tensor tensor(shape, DType::fp32, MemoryKind::checkpoint);
  auto* bits = static_cast<std::uint32_t*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    bits[i] = i < 7 ? kSpecial[i] : (static_cast<std::uint32_t>(i) * 0x9E3779B1u) ^ (seed * 0x85EBCA6Bu);
  }
  return tensor;
}

/// A checkpoint with every kind of content; another `step` gives other contents.
inline Checkpoint sample(std::int64_t step = 7, std::int64_t rows = 33) {
  const auto seed = static_cast<std::uint32_t>(step);
  Checkpoint checkpoint;
  checkpoint.tensors = {{"master/conv1.weight", any_bits({rows, 3, 3, 2}, seed)},
                        {"master/head.bias", any_bits({10}, seed + 1)},
                        {"optimizer/momentum/conv1.weight", any_bits({rows, 3, 3, 2}, seed + 2)},
                        {"optimizer/momentum/head.bias", any_bits({10}, seed + 3)},
                        {"statistics/norm.mean", any_bits({5}, seed + 4)}};
  checkpoint.integers = {
      {"run/step", step}, {"run/attempted", step + 1}, {"data/cursor", std::int64_t{1} << 62}, {"scaler/tracker", -3}};
  checkpoint.reals = {{"scaler/scale", 65536.0}, {"schedule/tiny", 4.9406564584124654e-324}, {"run/zero", -0.0}};
  checkpoint.texts = {{"run/config", "[run]\nname = \"naïve\"\n"}, {"run/empty", ""}, {"random/key", "philox"}};
  return checkpoint;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline void put_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace mpdist::checkpoint::testing
