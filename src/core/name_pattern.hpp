// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace mpdist {

/// Whether `pattern` matches the whole name; `*` stands for any characters, also none and dots. "stage1.*" matches
/// "stage1.conv1.weight".
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace mpdist
