// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/failure.hpp"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu::nccl {
namespace {

struct Planted {
  int launch = 0, rank = -1;
  bool direct = false;
};

/// The next part of a list separated by colons; moves `rest` behind it.
std::string_view next_part(std::string_view& rest) {
  const std::string_view part = rest.substr(0, rest.find(':'));
  rest.remove_prefix(part.size() < rest.size() ? part.size() + 1 : part.size());
  return part;
}

Planted read() {
  Planted planted;
  const char* const value = std::getenv("SOFTWARE_GPU_NCCL_FAIL");
  if (value == nullptr) return planted;
  std::string_view rest = value;
  for (int* number = &planted.launch; !rest.empty(); number = &planted.rank) {
    const std::string_view part = next_part(rest);
    if (part == "direct") {
      planted.direct = true;
      continue;
    }
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), *number);
    if (error != std::errc() || end != part.data() + part.size())
      unsupported(std::string("SOFTWARE_GPU_NCCL_FAIL=") + value);
  }
  return planted;
}

}  // namespace

Failure failure_of(int launch, int rank) {
  static const Planted kPlanted = read();
  if (launch != kPlanted.launch || (kPlanted.rank >= 0 && kPlanted.rank != rank)) return Failure::none;
  return kPlanted.direct ? Failure::direct : Failure::asynchronous;
}

}  // namespace software_gpu::nccl
