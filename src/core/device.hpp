// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace mpdist {

/// Where memory lies and kernels run.
enum class Device : unsigned char { cpu, cuda };

constexpr std::string_view name_of(Device device) {
  return device == Device::cpu ? "cpu" : "cuda";
}

}  // namespace mpdist
